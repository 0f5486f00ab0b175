/** The device profile that `serve` plays: a shipped one's name or a file, turned into an engine's facts. */

import { ascii } from '../../protocols/codec/bytes.ts';
import { MeasurementTypes } from '../../protocols/spdm/codes.ts';
import { load, problemText } from '../scenario/load.ts';
import { type DeviceProfile, profileSchema } from '../scenario/schema.ts';
import type { DeviceFacts } from '../socket/engines.ts';
import { type Io, readText, UsageError } from './io.ts';
import { PROFILE_FOLDER, shippedFile } from './package-root.ts';

export const PROFILE_DEFAULT = 'tee-accelerator';
const PROBLEMS_SHOWN = 8;

function factsOf(profile: DeviceProfile): DeviceFacts {
  const { identity, spdm, ide, tdisp } = profile;
  return {
    ...identity,
    measured: spdm.measurements.map(({ index, type, raw, tcb, content }) => ({
      index,
      type: MeasurementTypes[type as keyof typeof MeasurementTypes],
      raw,
      tcb,
      content: 'text' in content ? ascii(content.text) : content.hex,
    })),
    ctExponent: spdm['ct-exponent'],
    dataTransferSize: spdm['data-transfer-size'],
    heartbeatPeriod: spdm['heartbeat-period'],
    selectiveStreams: ide['selective-streams'],
    addressWidth: tdisp['address-width'],
    reportPortion: tdisp['report-portion'],
  };
}

/** @throws UsageError that says file, line and path */
export function readDevice(io: Io, name: string): DeviceFacts {
  const path = /[./\\]/.test(name) ? name : shippedFile(PROFILE_FOLDER, `${name}.yaml`);
  const loaded = load(readText(io, path), path, profileSchema);
  if (loaded.ok) return factsOf(loaded.value);
  const lines = loaded.problems.slice(0, PROBLEMS_SHOWN).map(problemText);
  throw new UsageError(lines.join('; '));
}
