/** What an IDE port's effects look like on the trace bus; the same for a root port and an endpoint. */

import type { Effect } from '../protocols/engine.ts';
import type { IdeEffect } from '../protocols/ide/effects.ts';
import type { Kernel } from '../sim/kernel/index.ts';
import type { SimRecords } from './records.ts';

const keyEvents = {
  'ide-key-programmed': 'programmed',
  'ide-key-set-go': 'go',
  'ide-key-set-stop': 'stop',
  'ide-key-switched': 'switched',
} as const;

export function emitIdeEffect(kernel: Kernel<SimRecords>, source: string, effect: Effect): void {
  const ide = effect as IdeEffect;
  switch (ide.type) {
    case 'ide-stream-state': {
      const { streamId, from, to, reason } = ide;
      if (from !== to) kernel.bus.emit('ide-stream', source, { streamId, from, to, reason });
      return;
    }
    case 'ide-key-programmed':
    case 'ide-key-set-go':
    case 'ide-key-set-stop':
    case 'ide-key-switched': {
      const { streamId, direction, subStream, keySet } = ide;
      const session =
        ide.type === 'ide-key-programmed' && ide.sessionId !== undefined
          ? { sessionId: ide.sessionId }
          : {};
      const event = keyEvents[ide.type];
      const key = { event, streamId, direction, subStream, keySet, ...session };
      kernel.bus.emit('ide-key', source, key);
    }
  }
}
