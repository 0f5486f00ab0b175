/**
 * What a served device measures: the blocks of its profile, one that extends a log, the measurement
 * manifest and the device mode (DSP0274, measurement block index and DMTF measurement value types).
 */

import { ascii, concat, le } from '../../protocols/codec/bytes.ts';
import { MeasurementTypes, SpdmVersions } from '../../protocols/spdm/codes.ts';
import { extendedMeasurement } from '../../protocols/spdm/extension-log.ts';
import type { LogEntry, Measured } from '../../protocols/spdm/measurements.ts';
import type { DeviceFacts } from './engines.ts';

const MANIFEST_INDEX = 0xfd;
const DEVICE_MODE_INDEX = 0xfe;
const RAW = 0x80;

/** Version that brought a value type; those absent are as old as measurements. */
const typeSince: Readonly<Record<number, number>> = {
  [MeasurementTypes.MeasurementManifest]: SpdmVersions.V1_1,
  [MeasurementTypes.DeviceMode]: SpdmVersions.V1_2,
  [MeasurementTypes.Version]: SpdmVersions.V1_2,
  [MeasurementTypes.SecureVersionNumber]: SpdmVersions.V1_2,
  [MeasurementTypes.HashExtend]: SpdmVersions.V1_3,
  [MeasurementTypes.Informational]: SpdmVersions.V1_3,
  [MeasurementTypes.StructuredManifest]: SpdmVersions.V1_3,
};

/** Operational mode normal of manufacturing, validation and normal; no debug mode is or was active. */
const OPERATIONAL_MODE = { capabilities: 0b111, state: 0b100 };
const DEVICE_MODE = { capabilities: 0b11111, state: 0 };

function log({ product, serial }: DeviceFacts): readonly LogEntry[] {
  const steps = [`${product} ${serial}`, 'boot loader', 'runtime'];
  return steps.map((step, i) => ({
    melIndex: i + 1,
    valueType: MeasurementTypes.Informational | RAW,
    value: ascii(step),
  }));
}

/** What each index of a device's own blocks is, as text: the form of a freeform manifest is the vendor's. */
function manifest({ manufacturer, product, serial, measured }: DeviceFacts): Uint8Array {
  const names = Object.entries(MeasurementTypes);
  const lines = measured.map(
    ({ index, type }) => `${index} ${names.find(([, code]) => code === type)?.[0] ?? type}`,
  );
  return ascii([`${manufacturer}:${product}:${serial}`, ...lines].join('\n'));
}

/** What a version has no type for is told as configuration; a hash nobody can follow is left out. */
function inVersion(item: Measured, version: number): Measured | undefined {
  if (version >= (typeSince[item.type] ?? 0)) return item;
  if (item.log !== undefined) return undefined;
  return { ...item, type: MeasurementTypes.FirmwareConfiguration };
}

/** Everything, as a version tells it. */
export function servedMeasurements(device: DeviceFacts): (version: number) => readonly Measured[] {
  const free = Math.max(0, ...device.measured.map(({ index }) => index)) + 1;
  const words = [
    ...[OPERATIONAL_MODE.capabilities, OPERATIONAL_MODE.state],
    ...[DEVICE_MODE.capabilities, DEVICE_MODE.state],
  ];
  const all: readonly Measured[] = [
    ...device.measured,
    ...(free < MANIFEST_INDEX ? [extendedMeasurement(free, log(device), false)] : []),
    {
      index: MANIFEST_INDEX,
      type: MeasurementTypes.MeasurementManifest,
      raw: true,
      content: manifest(device),
      tcb: false,
    },
    {
      index: DEVICE_MODE_INDEX,
      type: MeasurementTypes.DeviceMode,
      raw: true,
      content: concat(...words.map((word) => le(word, 4))),
      tcb: false,
    },
  ];
  return (version) => all.flatMap((item) => inVersion(item, version) ?? []);
}
