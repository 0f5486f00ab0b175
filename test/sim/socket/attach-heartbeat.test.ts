/** A session over a slow way: HEARTBEAT comes in time, and a session that is gone is asked nothing more. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, fromHex } from '../../../protocols/codec/bytes.ts';
import { nodeProvider as crypto } from '../../../protocols/crypto/node.ts';
import { attachFlow } from '../../../sim/socket/attach-flow.ts';
import { drive } from '../../../sim/socket/drive.ts';
import type { AttachLink, SpdmChoices } from '../../../sim/socket/engines.ts';
import { makeResponder } from '../../../sim/socket/responder-engine.ts';
import { type EnginePacket, socketTransports } from '../../../sim/socket/transport.ts';
import { stream } from '../../protocols/spdm/pair.ts';

const test = suite('attach heartbeat');

const PERIOD_S = 10;
const WAY_MS = 1000;
const transport = socketTransports.PCI_DOE;
const choices: SpdmChoices = {
  versions: [0x12],
  exeConnection: ['DIGEST', 'CERT'],
  exeSession: ['KEY_EX', 'MEAS'],
  measurementOperation: 'ONE_BY_ONE',
};

/** An attach whose every exchange takes WAY_MS; `answer` may come between. */
async function attached(
  answer: (packet: EnginePacket, given: EnginePacket, count: number) => EnginePacket,
) {
  const said: { readonly at: number; readonly text: string }[] = [];
  let clock = 0;
  let count = 0;
  const responder = makeResponder({
    crypto,
    random: stream(1),
    transport,
    choices: {},
    device: {
      manufacturer: 'Example',
      product: 'Device',
      serial: '7',
      measured: [{ index: 1, type: 0, raw: false, content: ascii('rom'), tcb: true }],
      ctExponent: 10,
      dataTransferSize: 4608,
      heartbeatPeriod: PERIOD_S,
      selectiveStreams: 1,
      addressWidth: 52,
      reportPortion: 64,
    },
    identitySeed: 1,
    functionId: 0,
    dataTransferSizeMax: Number.POSITIVE_INFINITY,
    note: (event, detail) => said.push({ at: clock, text: `${event} ${detail}` }),
  });
  const connection = responder.connect();
  const exchange = async (packet: EnginePacket): Promise<EnginePacket> => {
    clock += WAY_MS;
    count++;
    const given = connection.receive(packet);
    if (given === undefined) throw new Error('silence');
    return answer(packet, given, count);
  };
  const link: AttachLink = {
    drive: (each) => drive(each, { exchange }),
    prompt: async () => false,
    discover: async () => undefined,
  };
  const flow = attachFlow({
    crypto,
    random: stream(2),
    transport,
    choices,
    roots: [],
    now: 1_800_000_000,
    clock: () => clock,
  });
  const report = await flow(link);
  connection.closed();
  return { said, report, count };
}

test('measurements one by one: no two periods pass without HEARTBEAT', async () => {
  const { said, report } = await attached((_packet, given) => given);
  const inSession = said.filter(({ text }) => /SESSION .* established|HEARTBEAT -> /.test(text));
  const ends = said.filter(({ text }) => text.startsWith('MESSAGE END_SESSION'));
  const times = [...inSession, ...ends].map(({ at }) => at).sort((a, b) => a - b);
  const gaps = times.slice(1).map((at, index) => at - times[index]!);
  assert.ok(times.length > 20, `${times.length} heartbeats`);
  assert.ok(
    Math.max(...gaps) < 2 * PERIOD_S * WAY_MS,
    `the longest time without HEARTBEAT: ${Math.max(...gaps)} ms`,
  );
  const step = report.steps.find(({ name }) => name === 'measurements, signed in the session');
  assert.is(step?.outcome, 'ok');
});

test('DecryptError in the middle of them ends the search', async () => {
  let records = 0;
  const { report } = await attached((packet, given) => {
    if (!packet.secured) return given;
    records++;
    return records < 10 ? given : { secured: false, bytes: fromHex('127f0600') };
  });
  const step = report.steps.find(({ name }) => name === 'measurements, signed in the session');
  assert.is(step?.code, 'SPDM_ERROR_DecryptError');
  // One more is the FINISH of the session on the other slot.
  assert.is(records, 11);
});

test.run();
