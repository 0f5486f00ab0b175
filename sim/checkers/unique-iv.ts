/** No AES key meets the same IV twice: on the link's streams and in SPDM records alike. */

import type { SimRecords } from '../../devices/records.ts';
import type { Kernel } from '../kernel/index.ts';
import { BaseChecker } from './checker.ts';

export class UniqueIv extends BaseChecker {
  readonly name = 'unique-iv';
  readonly claim = 'an (AES key, IV) pair never repeats';
  private readonly used = new Map<string, Set<string>>();

  constructor(kernel: Kernel<SimRecords>) {
    super(kernel);
    kernel.bus.on('ide-seal', ({ data }) => this.seal(`IDE ${data.keyId}`, data.iv));
    kernel.bus.on('record-seal', ({ data }) => this.seal(`SPDM ${data.keyId}`, data.iv));
  }

  private seal(key: string, iv: string): void {
    let ivs = this.used.get(key);
    if (ivs === undefined) {
      ivs = new Set();
      this.used.set(key, ivs);
    }
    this.look(ivs.has(iv) ? `key ${key} meets IV ${iv} again` : undefined);
    ivs.add(iv);
  }
}
