/** The verb `serve`: what it announces, who may attach, how it ends, what it refuses. */

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { runProgram } from '../../../sim/cli/program.ts';
import { register } from '../../../sim/cli/serve.ts';
import { readPcap } from '../../../sim/sinks/pcap.ts';
import { SocketClient } from '../../../sim/socket/client.ts';
import { socketProfiles } from '../../../sim/socket/profile.ts';
import { serveSockets } from '../../../sim/socket/server.ts';
import { type SocketTransportName, socketTransports } from '../../../sim/socket/transport.ts';
import { until } from '../socket/peer.ts';
import { isComplaint, type MemoryIo, memoryIo, type Ran } from './harness.ts';

const test = suite('cli serve');

const HOST = '127.0.0.1';
const GET_VERSION = { secured: false, bytes: fromHex('10840000') };

interface Announced {
  readonly schema: string;
  readonly port: number;
  readonly transport: string;
  readonly peer: string;
  readonly device: string;
  readonly rootSha256: string;
  readonly attach: string;
}

/** Serves with `argv` until the client of `act` sends its SHUTDOWN. */
async function serving(
  argv: readonly string[],
  act: (announced: Announced, io: MemoryIo) => Promise<void>,
): Promise<Ran> {
  const io = memoryIo();
  const all = ['serve', '--port', '0', '--shutdown', 'exit', '--json', ...argv];
  const ran = runProgram(all, io, [register]);
  await until(() => io.result().out !== '' || io.result().code !== 0, 6000);
  assert.is(io.result().code, 0, io.result().err);
  await act(JSON.parse(io.result().out) as Announced, io);
  await ran;
  return io.result();
}

const client = (port: number, transport: SocketTransportName = 'PCI_DOE') =>
  SocketClient.connect({ host: HOST, port, transport: socketTransports[transport] });

async function complaint(argv: readonly string[], files = {}): Promise<string> {
  const io = memoryIo(files);
  await runProgram(['serve', '--port', '0', ...argv], io, [register]);
  const { code, err } = io.result();
  assert.is(code, 2, err);
  assert.ok(isComplaint(err), err);
  return err;
}

test('announces itself, answers GET_VERSION, logs a line per connection and ends on SHUTDOWN', async () => {
  const ran = await serving(['--ver', '1.2,1.3', '-v'], async (announced) => {
    assert.is(announced.schema, 'tdisp-sim/serve@1');
    assert.is(announced.transport, 'PCI_DOE');
    assert.is(announced.device, 'Example Silicon:TEE Accelerator:0001');
    assert.match(announced.rootSha256, /^[0-9a-f]{64}$/);
    assert.match(
      announced.attach,
      /^spdm_requester_emu --trans PCI_DOE --port \d+ --exe_conn DIGEST,/,
    );
    const peer = await client(announced.port);
    const answer = await peer.exchange(GET_VERSION);
    assert.is(toHex(answer.bytes.subarray(0, 10)), '10040000000200120013');
    await peer.close();
  });
  assert.is(ran.code, 0);
  for (const said of [
    /connection 1 CONNECTED/,
    /MESSAGE GET_VERSION -> VERSION/,
    /connection 1 SHUTDOWN/,
  ])
    assert.match(ran.err, said);
});

test('text, a root certificate, a capture; the same seed has the same root', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'serve-'));
  try {
    const [root, pcap] = [join(folder, 'root.der'), join(folder, 'a.pcap')];
    const roots: string[] = [];
    for (const seed of ['7', '7', '8'])
      await serving(
        ['--seed', seed, '--root-out', root, '--pcap', pcap],
        async ({ port, rootSha256 }) => {
          roots.push(rootSha256);
          const peer = await client(port);
          await peer.discover();
          await peer.exchange(GET_VERSION);
          await peer.close();
        },
      );
    assert.is(roots[0], roots[1]);
    assert.is.not(roots[0], roots[2]);
    assert.is(readFileSync(root)[0], 0x30);
    const file = readPcap(new Uint8Array(readFileSync(pcap)));
    assert.is(file.header?.linkType, 292);
    assert.is(file.records.length, 8);
    assert.ok(file.records.every(({ seconds }) => seconds > 1_700_000_000));
    assert.ok(existsSync(root));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const way of ['--peer', '--profile'])
  test(`${way} qemu: DataTransferSize stays below what its mailbox takes`, async () => {
    await serving(
      [way, 'qemu', '--data_transfer_size', '65536', '--ver', '1.2'],
      async (announced) => {
        assert.match(announced.attach, /spdm_port=/);
        const peer = await client(announced.port);
        await peer.exchange(GET_VERSION);
        const asked = fromHex('12e10000000000000000000000120000001200' + '00');
        const answer = await peer.exchange({ secured: false, bytes: asked });
        const view = new DataView(answer.bytes.buffer, answer.bytes.byteOffset);
        assert.is(answer.bytes[1], 0x61, toHex(answer.bytes));
        assert.is(view.getUint32(12, true), 4600);
        assert.is(view.getUint32(16, true), 0x20000, 'chunks carry more');
        await peer.close();
      },
    );
  });

test('over MCTP', async () => {
  await serving(['--trans', 'MCTP'], async ({ port, transport }) => {
    assert.is(transport, 'MCTP');
    const peer = await client(port, 'MCTP');
    assert.is((await peer.exchange(GET_VERSION)).bytes[1], 0x04);
    await peer.close();
  });
});

test('what cannot be built or bound is one line', async () => {
  assert.match(
    await complaint(['--asym', 'NONE', '--pqc_asym', 'NONE']),
    /--asym NONE with --pqc_asym NONE: choose an algorithm of either/,
  );
  assert.match(await complaint(['--hash', 'SM3_256']), /--hash SM3_256: the SM algorithms/);
  assert.match(
    await complaint(['--cert-dir', '/nosuch']),
    /--cert-dir \/nosuch: no such directory/,
  );
  assert.match(await complaint(['--cert-dir', tmpdir()]), /--cert-dir: it has no chain/);
  const broken = { 'a.pem': '-----BEGIN CERTIFICATE-----', 'a.der': Uint8Array.of(0x30, 3, 1) };
  assert.match(await complaint(['--peer-root', 'a.pem'], broken), /--peer-root a\.pem: no cert/);
  assert.match(await complaint(['--peer-chain', 'a.der'], broken), /--peer-chain a\.der: no cert/);
  assert.match(await complaint(['--peer-key', 'a.der'], broken), /--peer-key a\.der: no Subject/);
  assert.match(await complaint(['--psk', 'hint']), /--psk 'hint': give HINT=HEX/);
  assert.match(await complaint(['--psk', '0xzz=00']), /after 0x the hint is hexadecimal/);
  assert.match(await complaint(['--service-time-ms', '0']), /--service-time-ms: '0' is no number/);
  assert.match(
    await complaint(['--profile', 'nosuch']),
    /cannot read .*nosuch\.yaml: no such file/,
  );
  assert.match(await complaint(['--profile', './p.yaml'], { './p.yaml': 'a: 1' }), /p\.yaml/);
  assert.match(await complaint(['--host', 'a', '--ip', 'b']), /--ip is another name of --host/);
  assert.match(await complaint(['--peer', 'xen']), /--peer.*emu, qemu/);
  assert.match(await complaint(['--trans', 'NONE', '--pcap', '/dev/null']), /--pcap: no link type/);
  const taken = await serveSockets({
    port: 0,
    transport: socketTransports.MCTP,
    profile: socketProfiles.emu,
    connect: () => ({ receive: () => undefined, closed: () => {} }),
  });
  const err = await complaint(['--port', String(taken.port)]);
  await taken.close();
  assert.match(err, /cannot listen on 127\.0\.0\.1:\d+: the port is taken/);
});

test.run();
