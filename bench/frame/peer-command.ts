/**
 * A peer that is a command of the user's: another implementation with a timing loop of its own, which
 * prints how many operations a second it does. `{case}` in the command stands for the case's name.
 */

import { spawnSync } from 'node:child_process';
import type { External } from './measure.ts';

/** The command failed, or says nothing that can be used. */
export class PeerCommandError extends Error {
  override readonly name = 'PeerCommandError';
}

const TIMEOUT_MS = 120_000;

/** `1234.5 sessions/s` or `sessions/s: 1234.5`; the last one said counts. Undefined: there is none. */
export function rateIn(text: string, unit: string): number | undefined {
  const number = String.raw`(\d+(?:\.\d+)?(?:e[+-]?\d+)?)`;
  const per = `${unit}/s(?:ec(?:ond)?)?`;
  const pattern = new RegExp(String.raw`${number}\s*${per}|${per}\s*[:=]?\s*${number}`, 'gi');
  const last = [...text.matchAll(pattern)].at(-1);
  const rate = Number(last?.[1] ?? last?.[2]);
  return rate > 0 && Number.isFinite(rate) ? rate : undefined;
}

/** @throws PeerCommandError from `measure`, naming the command and what is wrong with it */
export function peerCommand(command: string, caseName: string, unit: string): External {
  const line = command.replaceAll('{case}', caseName);
  return {
    name: 'peer command',
    measure: () => {
      const ran = spawnSync(line, { shell: true, encoding: 'utf8', timeout: TIMEOUT_MS });
      const rate = rateIn(ran.stdout ?? '', unit);
      if (ran.status !== 0 || rate === undefined) {
        const ended =
          ran.status === 0
            ? `it prints no '${unit}/s'`
            : `it ended with ${ran.status ?? ran.signal}`;
        throw new PeerCommandError(`peer command '${line}': ${ended}`);
      }
      return 1000 / rate;
    },
  };
}
