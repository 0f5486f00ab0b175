/** `attach` against a device of ours on a socket of its own. */

import * as assert from 'uvu/assert';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { register } from '../../../sim/cli/attach.ts';
import { runProgram } from '../../../sim/cli/program.ts';
import { readDevice } from '../../../sim/cli/serve-profile.ts';
import { Random } from '../../../sim/kernel/index.ts';
import type { AttachReport, AttachStep } from '../../../sim/socket/attach-report.ts';
import { engines } from '../../../sim/socket/default-engines.ts';
import type { ResponderOptions, SpdmChoices } from '../../../sim/socket/engines.ts';
import { socketProfiles } from '../../../sim/socket/profile.ts';
import { type Connection, serveSockets } from '../../../sim/socket/server.ts';
import { type SocketTransportName, socketTransports } from '../../../sim/socket/transport.ts';
import { memoryIo, type Ran } from './harness.ts';

export type Document = AttachReport & {
  readonly schema: string;
  readonly findings: readonly AttachStep[];
};

/** A device of ours, its root certificate, and what becomes of its packets. */
export function device(
  choices: SpdmChoices,
  transport: SocketTransportName = 'PCI_DOE',
  more: Partial<ResponderOptions> = {},
) {
  const random = Random.fromSeed('attach test');
  return engines.makeResponder({
    crypto: nodeProvider,
    random: (size) => random.bytes(size),
    transport: socketTransports[transport],
    choices,
    device: readDevice(memoryIo(), 'tee-accelerator'),
    identitySeed: 1,
    functionId: 0xbeef,
    dataTransferSizeMax: Number.POSITIVE_INFINITY,
    ...more,
  });
}

export async function attached(
  argv: readonly string[],
  connect: () => Connection,
  files: Readonly<Record<string, Uint8Array>> = {},
  transport: SocketTransportName = 'PCI_DOE',
): Promise<Ran> {
  const server = await serveSockets({
    port: 0,
    transport: socketTransports[transport],
    profile: socketProfiles.emu,
    connect,
  });
  const io = memoryIo(files);
  try {
    await runProgram(['attach', '--port', String(server.port), ...argv], io, [register]);
    assert.is(server.faults(), 0);
  } finally {
    await server.close();
  }
  return io.result();
}

export const documentOf = (ran: Ran): Document => {
  assert.ok(ran.out !== '', ran.err);
  const document = JSON.parse(ran.out) as Document;
  assert.is(document.schema, 'tdisp-sim/attach@1');
  return document;
};
