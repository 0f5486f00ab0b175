/** The secrets a listener was given or has learned, and in which order a session tries them. */

import type { KeyLogEntry } from '../party.ts';

export interface Candidate {
  readonly secret: Uint8Array;
  readonly isPsk: boolean;
  /** the session it belongs to; undefined: any */
  readonly sessionId: number | undefined;
  /** a session has been opened with it */
  isUsed: boolean;
}

interface Given {
  readonly dheSecrets?: readonly Uint8Array[];
  readonly psks?: readonly Uint8Array[];
  readonly keyLog?: readonly KeyLogEntry[];
}

/** Keys that messages set, at most: further ones take the place of the oldest. */
const LEARNED_MAX = 64;

export class SecretStore {
  private readonly given: readonly Candidate[];
  private readonly learned: Candidate[] = [];

  constructor({ dheSecrets = [], psks = [], keyLog = [] }: Given) {
    const any = (isPsk: boolean) => (secret: Uint8Array) => ({
      ...{ secret, isPsk, sessionId: undefined, isUsed: false },
    });
    this.given = [
      ...keyLog.map(({ kind, sessionId, secret }) => ({
        ...{ secret, isPsk: kind === 'PSK', sessionId, isUsed: false },
      })),
      ...dheSecrets.map(any(false)),
      ...psks.map(any(true)),
    ];
  }

  /** A pre-shared key that the traffic itself set. */
  learnPsk(secret: Uint8Array): void {
    this.learned.push({ secret, isPsk: true, sessionId: undefined, isUsed: false });
    if (this.learned.length > LEARNED_MAX) this.learned.shift();
  }

  /** Those of the session's kind that may be its own; those that have opened another one last. */
  candidates(sessionId: number, isPsk: boolean): readonly Candidate[] {
    const all = [...this.learned, ...this.given].filter(
      (each) =>
        each.isPsk === isPsk && (each.sessionId === undefined || each.sessionId === sessionId),
    );
    return [...all.filter(({ isUsed }) => !isUsed), ...all.filter(({ isUsed }) => isUsed)];
  }
}
