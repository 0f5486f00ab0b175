/** The server against hostile and ordinary peers: every command, every situation, under both profiles. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { Commands, encodeFrame, type Frame } from '../../../sim/socket/frame.ts';
import { type SocketProfileName, socketProfiles } from '../../../sim/socket/profile.ts';
import { serveSockets } from '../../../sim/socket/server.ts';
import { socketTransports } from '../../../sim/socket/transport.ts';
import { RawPeer, until, withServer } from './peer.ts';

const test = suite('socket server');

const EMPTY = new Uint8Array(0);
const MCTP = 1;
const DOE = 2;
const HELLO = fromHex('436c69656e742048656c6c6f2100');
/** SPDM over MCTP with one byte of message */
const ask = (byte: number) => Uint8Array.of(5, byte);
const shown = (frame: Frame | 'closed') =>
  frame === 'closed'
    ? frame
    : `${frame.command.toString(16)}/${frame.transport} ${toHex(frame.payload)}`;

test('greets back, answers, one engine per connection', () =>
  withServer('emu', 'MCTP', async ({ server, engines }) => {
    const [a, b] = [await RawPeer.open(server.port), await RawPeer.open(server.port)];
    a.send(Commands.TEST, HELLO);
    assert.is(shown(await a.next()), 'dead/1 5365727665722048656c6c6f2100');
    assert.is(engines.length, 0, 'a greeting costs no engine');
    a.send(Commands.NORMAL, ask(0x21));
    assert.is(shown(await a.next()), '1/1 050121');
    b.send(Commands.NORMAL, ask(0x31));
    assert.is(shown(await b.next()), '1/1 050131', 'the second starts at one');
    a.send(Commands.NORMAL, ask(0x22));
    assert.is(shown(await a.next()), '1/1 050222');
    assert.is(server.engines(), 2);
    a.close();
    b.close();
    await until(() => server.engines() === 0);
    assert.equal(
      engines.map(({ closedCount }) => closedCount),
      [1, 1],
    );
  }));

test('a request byte by byte, and many in one write', () =>
  withServer('emu', 'MCTP', async ({ server }) => {
    const peer = await RawPeer.open(server.port);
    const frame = (byte: number) =>
      encodeFrame({ command: Commands.NORMAL, transport: MCTP, payload: ask(byte) });
    for (const byte of frame(0x41)) {
      peer.socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.is(shown(await peer.next()), '1/1 050141');
    peer.socket.write(concat(frame(0x42), frame(0x43), frame(0x44)));
    for (const answer of ['050242', '050343', '050444'])
      assert.is(shown(await peer.next()), `1/1 ${answer}`);
    peer.close();
  }));

interface Hostile {
  readonly name: string;
  readonly event: string;
  readonly send: (peer: RawPeer) => void;
  /** first frame, and whether the connection lives on */
  readonly emu: string;
  readonly qemu: string;
}
const OBJECT = '010001000300000010840000';
const hostile: readonly Hostile[] = [
  {
    name: 'an object cut short',
    event: 'UNDECODABLE',
    send: (peer) => peer.send(Commands.NORMAL, fromHex('01000100040000001084'), DOE),
    emu: 'closed',
    qemu: '1/2 ',
  },
  {
    name: 'an object of another vendor',
    event: 'FOREIGN',
    send: (peer) => peer.send(Commands.NORMAL, fromHex('341201000300000000000000'), DOE),
    emu: 'closed',
    qemu: '1/2 ',
  },
  {
    name: 'an oversize frame, its payload never sent',
    event: 'OVERSIZE',
    send: (peer) => peer.socket.write(fromHex('0000000100000002ffffffff')),
    emu: 'closed',
    qemu: '1/2 ',
  },
  {
    name: 'another transport',
    event: 'TRANSPORT_MISMATCH',
    send: (peer) => peer.send(Commands.NORMAL, ask(0x10), MCTP),
    emu: 'closed',
    qemu: '1/1 ',
  },
  {
    name: 'an engine that throws',
    event: 'OWN_FAULT',
    send: (peer) => peer.send(Commands.NORMAL, fromHex('0100010003000000ff000000'), DOE),
    emu: 'closed',
    qemu: '1/2 ',
  },
  {
    name: 'an unknown command',
    event: 'UNKNOWN_COMMAND',
    send: (peer) => peer.send(0x77, EMPTY, DOE),
    emu: 'ffff/2 ',
    qemu: 'ffff/2 ',
  },
];
for (const profile of ['emu', 'qemu'] as const)
  for (const { name, event, send, [profile]: expected } of hostile)
    test(`${name}, ${profile}: the server stays up`, () =>
      withServer(profile, 'PCI_DOE', async ({ server, events }) => {
        const peer = await RawPeer.open(server.port);
        send(peer);
        assert.is(shown(await peer.next()), expected);
        assert.ok(events().includes(event), events().join());
        assert.is(server.faults(), event === 'OWN_FAULT' ? 1 : 0);
        if (profile === 'qemu' && event !== 'OVERSIZE') {
          peer.send(Commands.NORMAL, fromHex(OBJECT), DOE);
          assert.is(shown(await peer.next()), '1/2 01000100040000000110840000000000');
        }
        if (profile === 'emu') assert.is(shown(await peer.next()), 'closed');
        peer.close();
        const other = await RawPeer.open(server.port);
        other.send(Commands.NORMAL, fromHex(OBJECT), DOE);
        assert.is(shown(await other.next()), '1/2 01000100040000000110840000000000');
        other.close();
      }));

const silences: readonly [SocketProfileName, string][] = [
  ['emu', '1/1 050122'],
  ['qemu', '1/1 '],
];
for (const [profile, first] of silences)
  test(`silence, ${profile}: ${profile === 'emu' ? 'no frame' : 'an empty one'}`, () =>
    withServer(profile, 'MCTP', async ({ server }) => {
      const peer = await RawPeer.open(server.port);
      peer.send(Commands.NORMAL, ask(0x00));
      peer.send(Commands.NORMAL, ask(0x22));
      assert.is(shown(await peer.next()), first);
      peer.close();
    }));

test('no answer longer than QEMU takes leaves', () => {
  const answerBytesMax = 8;
  const profile = { ...socketProfiles.qemu, answerBytesMax };
  return withServer(
    'qemu',
    'MCTP',
    async ({ server, events }) => {
      const peer = await RawPeer.open(server.port);
      peer.send(Commands.NORMAL, concat(Uint8Array.of(5), new Uint8Array(6).fill(1)));
      assert.is(shown(await peer.next()), '1/1 0501010101010101');
      peer.send(Commands.NORMAL, concat(Uint8Array.of(5), new Uint8Array(7).fill(1)));
      assert.is(shown(await peer.next()), '1/1 ');
      assert.ok(events().includes('ANSWER_TOO_LARGE'));
      peer.close();
    },
    { profile },
  );
});

test("QEMU's limits: a data object of 4608 bytes, an SPDM message of 4600", () => {
  assert.is(socketProfiles.qemu.answerBytesMax, 4608);
  assert.is(socketProfiles.qemu.dataTransferSizeMax, 4600);
});

test('SHUTDOWN is answered, drops the state and closes our end though the peer keeps its own', () => {
  let shutdowns = 0;
  return withServer(
    'qemu',
    'MCTP',
    async ({ server, engines }) => {
      const peer = await RawPeer.open(server.port);
      peer.send(Commands.NORMAL, ask(0x21));
      await peer.next();
      const late = { command: Commands.NORMAL, transport: MCTP, payload: ask(0x22) };
      const shutdown = { command: Commands.SHUTDOWN, transport: MCTP, payload: EMPTY };
      peer.socket.write(concat(encodeFrame(shutdown), encodeFrame(late)));
      assert.is(shown(await peer.next()), 'fffe/1 ');
      assert.is(engines[0]?.closedCount, 1);
      assert.is(shutdowns, 1);
      await until(() => server.engines() === 0);
      assert.is(engines.length, 1, 'nothing is taken after a SHUTDOWN');
      assert.is(engines[0]?.count, 1);
      peer.close();
    },
    { onShutdown: () => shutdowns++ },
  );
});

test('CONTINUE keeps the state for the next connection, and for one only', () =>
  withServer('emu', 'MCTP', async ({ server, engines }) => {
    const talk = async (byte: number, leave?: number) => {
      const peer = await RawPeer.open(server.port);
      peer.send(Commands.NORMAL, ask(byte));
      const answer = shown(await peer.next());
      if (leave !== undefined) {
        peer.send(leave, EMPTY);
        assert.is(shown(await peer.next()), `${leave.toString(16)}/1 `);
        assert.is(shown(await peer.next()), 'closed');
      }
      peer.close();
      return answer;
    };
    assert.is(await talk(0x21, Commands.CONTINUE), '1/1 050121');
    assert.is(server.engines(), 1);
    assert.is(await talk(0x22, Commands.CONTINUE), '1/1 050222', 'the count goes on');
    assert.is(await talk(0x23), '1/1 050323');
    await until(() => server.engines() === 0);
    assert.is(await talk(0x24), '1/1 050124', 'a bare FIN keeps nothing');
    assert.is(engines.length, 2);
  }));

test('a second CONTINUE gives up the state kept before', () =>
  withServer('emu', 'MCTP', async ({ server, engines }) => {
    const [a, b] = [await RawPeer.open(server.port), await RawPeer.open(server.port)];
    for (const peer of [a, b]) {
      peer.send(Commands.NORMAL, ask(0x21));
      await peer.next();
    }
    for (const peer of [a, b]) {
      peer.send(Commands.CONTINUE, EMPTY);
      await peer.next();
    }
    assert.equal(
      engines.map(({ closedCount }) => closedCount),
      [1, 0],
    );
    a.close();
    b.close();
  }));

test('what the emulator asks to be raised reaches the engine, or is refused and the peer stays', () =>
  withServer('emu', 'MCTP', async ({ server, engines }) => {
    const peer = await RawPeer.open(server.port);
    peer.send(Commands.NORMAL, ask(0x21));
    await peer.next();
    peer.send(Commands.OOB_ENCAP_KEY_UPDATE, fromHex('ffff0100'));
    assert.is(shown(await peer.next()), 'ffff/1 ');
    const engine = engines[0]!;
    Object.assign(engine, {
      trigger: (what: string, id: number) =>
        engine.triggered.push(`${what} ${id.toString(16)}`) > 0,
    });
    peer.send(Commands.OOB_ENCAP_KEY_UPDATE, fromHex('ffff0100'));
    assert.is(shown(await peer.next()), '8001/1 ');
    peer.send(Commands.OOB_ENCAP_ENDPOINT_INFO, EMPTY);
    assert.is(shown(await peer.next()), '8002/1 ');
    assert.equal(engine.triggered, ['KEY_UPDATE 1ffff', 'ENDPOINT_INFO 0']);
    peer.close();
  }));

test("QEMU's NVMe commands fail with a status instead of silence", () =>
  withServer('qemu', 'PCI_DOE', async ({ server }) => {
    const peer = await RawPeer.open(server.port);
    peer.send(Commands.STORAGE_SEND, fromHex('e80000000002000000'), 4);
    assert.is(shown(await peer.next()), '4/4 0002');
    peer.send(Commands.STORAGE_RECEIVE, fromHex('e8000000020000'), 4);
    assert.is(shown(await peer.next()), '4/4 0002');
    peer.close();
  }));

test('more connections than allowed are refused, and told', () =>
  withServer(
    'emu',
    'MCTP',
    async ({ server, events }) => {
      const first = await RawPeer.open(server.port);
      const second = await RawPeer.open(server.port);
      assert.is(shown(await second.next()), 'closed');
      assert.ok(events().includes('TOO_MANY_CONNECTIONS'));
      first.send(Commands.NORMAL, ask(0x21));
      assert.is(shown(await first.next()), '1/1 050121');
      first.close();
    },
    { maxConnections: 1 },
  ));

test('an engine that throws while it is given up does no harm', () =>
  withServer('emu', 'MCTP', async ({ server, engines }) => {
    const peer = await RawPeer.open(server.port);
    peer.send(Commands.NORMAL, ask(0x21));
    await peer.next();
    Object.assign(engines[0]!, {
      closed: () => {
        throw new Error('cannot let go');
      },
    });
    peer.close();
    await until(() => server.faults() === 1);
  }));

test('a peer that does not read its answers is not read either', () =>
  withServer('emu', 'MCTP', async ({ server, engines }) => {
    const [requests, bytes] = [400, 60_000];
    const peer = await RawPeer.open(server.port);
    peer.socket.pause();
    const payload = new Uint8Array(bytes).fill(5);
    for (let i = 0; i < requests; i++) peer.send(Commands.NORMAL, payload);
    let last = -1;
    await until(() => {
      const still = engines[0] !== undefined && engines[0].count === last;
      last = engines[0]?.count ?? -1;
      return still;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(
      engines[0]!.count < requests,
      `${engines[0]!.count} answers kept for a peer that does not read`,
    );
    peer.socket.resume();
    for (let i = 0; i < requests; i++) await peer.next();
    assert.is(engines[0]!.count, requests);
    peer.close();
  }));

test('a FIN in the middle of a frame is told', () =>
  withServer('emu', 'MCTP', async ({ server, log }) => {
    const peer = await RawPeer.open(server.port);
    peer.socket.end(fromHex('00000001000000'));
    await until(() => log.some(({ detail }) => /in the middle of a frame/.test(detail)));
    peer.close();
  }));

test('ports: out of range is our mistake, taken is a rejection', async () => {
  const options = {
    transport: socketTransports.MCTP,
    profile: socketProfiles.emu,
    connect: () => ({ receive: () => undefined, closed: () => {} }),
  };
  assert.throws(
    () => serveSockets({ ...options, port: 70_000 }),
    (e: unknown) => e instanceof LocalError,
  );
  const server = await serveSockets({ ...options, port: 0 });
  const code = await serveSockets({ ...options, port: server.port }).then(
    () => 'served',
    (error: NodeJS.ErrnoException) => error.code,
  );
  await server.close();
  assert.is(code, 'EADDRINUSE');
});

test.run();
