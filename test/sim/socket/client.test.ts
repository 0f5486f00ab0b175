/** The client against servers good and bad, and requesters driven through it. */

import { createServer, type Server, type Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError, peerFault } from '../../../protocols/codec/refusal.ts';
import type { Exchange, Outgoing } from '../../../protocols/spdm/requester/state.ts';
import { SocketClient, type SocketErrorCode } from '../../../sim/socket/client.ts';
import { drive } from '../../../sim/socket/drive.ts';
import { Commands, Deframer, encodeFrame, type Frame } from '../../../sim/socket/frame.ts';
import { type SocketTransportName, socketTransports } from '../../../sim/socket/transport.ts';
import { until, withServer } from './peer.ts';

const test = suite('socket client');

const HOST = '127.0.0.1';
const EMPTY = new Uint8Array(0);

/** A server that hands each frame to `answer`, with its number. */
async function withPeer(
  answer: (socket: Socket, frame: Frame, index: number) => void,
  act: (port: number) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    const deframer = new Deframer();
    let index = 0;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const item of deframer.push(chunk)) if (item.ok) answer(socket, item.frame, index++);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  try {
    await act(typeof address === 'object' && address !== null ? address.port : 0);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

const open = (port: number, transport: SocketTransportName, answerTimeoutMs = 1000) =>
  SocketClient.connect({
    host: HOST,
    port,
    transport: socketTransports[transport],
    answerTimeoutMs,
    greet: false,
  });
const GET_VERSION = { secured: false, bytes: fromHex('10840000') };

async function codeOf(act: Promise<unknown>): Promise<SocketErrorCode | 'fine'> {
  return act.then(
    () => 'fine',
    (error: { code: SocketErrorCode; message: string }) => {
      assert.match(error.message, /[a-z]{4}/, 'a sentence');
      return error.code;
    },
  );
}

test('greets, exchanges, discovers and takes leave', () =>
  withServer('emu', 'PCI_DOE', async ({ server, engines, events }) => {
    const tapped: string[] = [];
    const client = await SocketClient.connect({
      host: HOST,
      port: server.port,
      transport: socketTransports.PCI_DOE,
      tap: (payload) => tapped.push(toHex(payload)),
    });
    const types = await client.discover();
    assert.equal(
      types?.map(({ DataObjectType }) => DataObjectType),
      [0, 1, 2],
    );
    const answer = await client.exchange(GET_VERSION);
    assert.is(toHex(answer.bytes), '0110840000000000', 'DW padding stays');
    const sealed = await client.exchange({ secured: true, bytes: fromHex('0a0b0c0d') });
    assert.ok(sealed.secured);
    assert.is(tapped.length, 10);
    await client.close();
    await until(() => server.engines() === 0);
    assert.is(engines[0]?.closedCount, 1);
    assert.ok(events().includes('SHUTDOWN'));
    assert.is(await codeOf(client.exchange(GET_VERSION)), 'CLOSED');
  }));

test('CONTINUE keeps the state, NONE says nothing', () =>
  withServer('emu', 'MCTP', async ({ server, events }) => {
    for (const [leave, first] of [
      ['CONTINUE', 1],
      ['NONE', 2],
      ['SHUTDOWN', 1],
    ] as const) {
      const client = await open(server.port, 'MCTP');
      const answer = await client.exchange(GET_VERSION);
      assert.is(answer.bytes[0], first);
      await client.close(leave);
      if (leave === 'NONE') await until(() => events().includes('DISCONNECTED'));
    }
  }));

test('other transports have no Discovery', () =>
  withServer('emu', 'MCTP', async ({ server }) => {
    const client = await open(server.port, 'MCTP');
    assert.is(await client.discover(), undefined);
    await client.close();
  }));

const reply = (command: number, transport: number, payload: string) => (socket: Socket) =>
  socket.write(encodeFrame({ command, transport, payload: fromHex(payload) }));

const wrong: readonly [name: string, code: SocketErrorCode, answer: (socket: Socket) => void][] = [
  ['silence', 'ANSWER_TIMEOUT', () => {}],
  ['an end of the connection', 'CLOSED', (socket) => socket.end()],
  ['an empty answer', 'EMPTY_ANSWER', reply(1, 2, '')],
  ['another command', 'COMMAND', reply(Commands.UNKNOWN, 2, '')],
  ['another transport', 'TRANSPORT', reply(1, 1, '0510840000')],
  ['bytes that are no object', 'BAD_ANSWER', reply(1, 2, '0100')],
  ['Discovery instead of SPDM', 'BAD_ANSWER', reply(1, 2, '010000000300000001000001')],
  ['an oversize frame', 'OVERSIZE', (socket) => socket.write(fromHex('0000000100000002ffffffff'))],
];
for (const [name, code, answer] of wrong)
  test(`${name}: ${code}`, () =>
    withPeer(answer, async (port) => {
      const client = await open(port, 'PCI_DOE', 60);
      assert.is(await codeOf(client.exchange(GET_VERSION)), code);
      await client.close('NONE');
    }));

test('a responder may take its own time besides the round trip, and no more', () =>
  withPeer(
    (socket, frame) =>
      void setTimeout(() => socket.write(encodeFrame({ ...frame, payload: frame.payload })), 150),
    async (port) => {
      const patient = await open(port, 'PCI_DOE', 60);
      assert.is((await patient.exchange(GET_VERSION, 500)).secured, false);
      await patient.close('NONE');
      const hasty = await open(port, 'PCI_DOE', 60);
      assert.is(await codeOf(hasty.exchange(GET_VERSION, 10)), 'ANSWER_TIMEOUT');
      await hasty.close('NONE');
    },
  ));

test('more than was asked for: out of step', () =>
  withPeer(
    (socket, frame) => {
      socket.write(encodeFrame(frame));
      socket.write(encodeFrame(frame));
    },
    async (port) => {
      const client = await open(port, 'MCTP');
      await client.exchange(GET_VERSION);
      let code: string = 'fine';
      await until(() => {
        if (code !== 'fine') return true;
        client.exchange(GET_VERSION).catch((error: { code: string }) => {
          code = error.code;
        });
        return false;
      }).catch(() => {});
      assert.is(code, 'UNSOLICITED');
      await client.close('NONE');
    },
  ));

test('no SPDM responder: the greeting is not returned', () =>
  withPeer(reply(Commands.NORMAL, 2, ''), async (port) => {
    const transport = socketTransports.PCI_DOE;
    assert.is(await codeOf(SocketClient.connect({ host: HOST, port, transport })), 'GREETING');
  }));

test('Discovery that leads in a circle, or names nothing', () =>
  withPeer(
    (socket) => reply(1, 2, '010000000300000001000105')(socket),
    async (port) => {
      const client = await open(port, 'PCI_DOE');
      assert.is(await codeOf(client.discover()), 'DISCOVERY');
      await client.close('NONE');
    },
  ));

test('nobody listens', async () => {
  let port = 0;
  await withPeer(
    () => {},
    async (free) => {
      port = free;
    },
  );
  const transport = socketTransports.PCI_DOE;
  assert.is(await codeOf(SocketClient.connect({ host: HOST, port, transport })), 'CONNECT');
});

test('one exchange at a time', () =>
  withPeer(
    () => {},
    async (port) => {
      const client = await open(port, 'MCTP', 60);
      const first = codeOf(client.exchange(GET_VERSION));
      assert.throws(
        () => client.command(Commands.NORMAL, EMPTY),
        (error: unknown) => error instanceof LocalError,
      );
      assert.is(await first, 'ANSWER_TIMEOUT');
      await client.close('NONE');
    },
  ));

const outgoing = (byte: number, more: object = {}): Outgoing =>
  ({
    secured: false,
    bytes: Uint8Array.of(byte),
    clear: Uint8Array.of(byte),
    sessionId: undefined,
    work: [],
    ...more,
  }) as unknown as Outgoing;

test('drive feeds answers in, returns the result, and watches', async () => {
  function* exchange(): Exchange<string> {
    const first = yield outgoing(1);
    const second = yield outgoing(2);
    return toHex(first.bytes) + toHex(second.bytes);
  }
  const seen: string[] = [];
  const link = { exchange: async (packet: { secured: boolean; bytes: Uint8Array }) => packet };
  const result = await drive(exchange(), link, (sent, got) =>
    seen.push(`${toHex(sent.bytes)}>${toHex(got.bytes)}`),
  );
  assert.is(result, '0102');
  assert.equal(seen, ['01>01', '02>02']);
});

test('drive returns a fault of the peer, and waits before a request that says so', async () => {
  // biome-ignore lint/correctness/useYield: an exchange that never sends
  function* faulty(): Exchange<true> {
    return peerFault('CODE', 'detail');
  }
  const link = { exchange: async (packet: { secured: boolean; bytes: Uint8Array }) => packet };
  assert.equal(await drive(faulty(), link), peerFault('CODE', 'detail'));
  function* patient(): Exchange<true> {
    yield outgoing(1, { waitUs: 40_000 });
    return true;
  }
  const began = performance.now();
  assert.is(await drive(patient(), link), true);
  assert.ok(performance.now() - began >= 35);
});

test('drive ends the generator when the link breaks', async () => {
  let ended = false;
  function* exchange(): Exchange<true> {
    try {
      yield outgoing(1);
      return true;
    } finally {
      ended = true;
    }
  }
  const link = {
    exchange: async () => {
      throw new Error('broken');
    },
  };
  const said = await drive(exchange(), link).catch((error: Error) => error.message);
  assert.is(said, 'broken');
  assert.ok(ended);
});

test.run();
