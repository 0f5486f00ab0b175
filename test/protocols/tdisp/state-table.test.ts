import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  afterEvent,
  afterRequest,
  firmwareUpdateVerdict,
  LockFlags,
  requestTable,
  type TdiEventName,
  type TdiState,
  type TdispRequestName,
  TdispRequests,
  tdiEventNames,
  tdiMermaid,
  tdiStates,
} from '../../../protocols/tdisp/index.ts';

const test = suite('tdisp state table');

// U CONFIG_UNLOCKED, L CONFIG_LOCKED, R RUN, E ERROR, - INVALID_INTERFACE_STATE; in this order
const LETTERS = 'ULRE';
const letter = (state: TdiState | undefined) =>
  state === undefined ? '-' : LETTERS[tdiStates.indexOf(state)]!;

const requests: Readonly<Record<TdispRequestName, string>> = {
  GET_TDISP_VERSION: 'ULRE',
  GET_TDISP_CAPABILITIES: 'ULRE',
  LOCK_INTERFACE_REQUEST: 'L---',
  GET_DEVICE_INTERFACE_REPORT: '-LR-',
  GET_DEVICE_INTERFACE_STATE: 'ULRE',
  START_INTERFACE_REQUEST: '-R--',
  STOP_INTERFACE_REQUEST: 'UUUU',
  BIND_P2P_STREAM_REQUEST: '--R-',
  UNBIND_P2P_STREAM_REQUEST: '--R-',
  SET_MMIO_ATTRIBUTE_REQUEST: '--R-',
  VDM_REQUEST: 'ULRE',
  SET_TDISP_CONFIG_REQUEST: 'U---',
};

for (const [name, row] of Object.entries(requests)) {
  test(`request ${name}`, () => {
    const got = tdiStates.map((s) => letter(afterRequest(s, name as TdispRequestName))).join('');
    assert.is(got, row);
  });
}

test('every request has a row', () => {
  assert.equal(Object.keys(requestTable).sort(), Object.keys(TdispRequests).sort());
});

const ERROR = 'UEEE';
const STAY = 'ULRE';
// after the event without LOCK_MSIX
const events: Readonly<Record<TdiEventName, string>> = {
  'stream-insecure': ERROR,
  'session-ended': ERROR,
  'ide-configuration-changed': ERROR,
  'function-reset': ERROR,
  'conventional-reset': 'UUUU',
  'requester-id-changed': ERROR,
  'memory-space-disabled': ERROR,
  'memory-space-enabled': STAY,
  'bus-master-disabled': ERROR,
  'bus-master-enabled': STAY,
  'bar-changed': ERROR,
  'expansion-rom-changed': STAY,
  'msix-changed-while-locked': STAY,
  'msi-changed': STAY,
  'ats-changed': ERROR,
  'pri-changed': ERROR,
  'pasid-changed': ERROR,
  'tph-changed': ERROR,
  'lnr-changed': ERROR,
  'max-payload-size-changed': ERROR,
  'extended-tag-changed': ERROR,
  'power-state-lost': ERROR,
  'acs-changed': ERROR,
  'vf-enable-cleared': ERROR,
  'max-read-request-size-changed': STAY,
  'relaxed-ordering-changed': STAY,
  'no-snoop-changed': STAY,
  'security-posture-changed': ERROR,
  'poisoned-data': ERROR,
  'completion-error': ERROR,
  'translation-completion-not-tee': ERROR,
  'page-response-not-tee': ERROR,
  'tee-access-rejected': STAY,
  'firmware-update-refused': STAY,
  scrubbed: 'ULRU',
};

for (const event of tdiEventNames) {
  test(`event ${event}`, () => {
    const after = (flags: number) =>
      tdiStates.map((s) => letter(afterEvent(s, event, flags))).join('');
    assert.is(after(0), events[event]);
    const locked = event === 'msix-changed-while-locked' ? ERROR : events[event];
    assert.is(after(LockFlags.LOCK_MSIX), locked);
  });
}

test('nothing but LOCK leaves CONFIG_UNLOCKED, and nothing leads from ERROR to CONFIG_LOCKED or RUN', () => {
  for (const event of tdiEventNames)
    for (const flags of [0, LockFlags.LOCK_MSIX]) {
      assert.is(afterEvent('CONFIG_UNLOCKED', event, flags), 'CONFIG_UNLOCKED', event);
      assert.ok(['ERROR', 'CONFIG_UNLOCKED'].includes(afterEvent('ERROR', event, flags)), event);
    }
  for (const name of Object.keys(TdispRequests) as TdispRequestName[]) {
    const left = afterRequest('CONFIG_UNLOCKED', name);
    assert.is(left === 'CONFIG_LOCKED', name === 'LOCK_INTERFACE_REQUEST', name);
    assert.not(['CONFIG_LOCKED', 'RUN'].includes(afterRequest('ERROR', name) ?? ''), name);
  }
});

test('the diagram has every arrow once', () => {
  const lines = tdiMermaid().trimEnd().split('\n');
  assert.is(lines[0], 'stateDiagram-v2');
  assert.is(lines[1], '  [*] --> CONFIG_UNLOCKED');
  const arrows = lines.slice(2).map((line) => line.trim().split(' : ')[0]);
  assert.equal([...arrows].sort(), [
    'CONFIG_LOCKED --> CONFIG_UNLOCKED',
    'CONFIG_LOCKED --> ERROR',
    'CONFIG_LOCKED --> RUN',
    'CONFIG_UNLOCKED --> CONFIG_LOCKED',
    'ERROR --> CONFIG_UNLOCKED',
    'RUN --> CONFIG_UNLOCKED',
    'RUN --> ERROR',
  ]);
  const leave = lines.find((line) => line.includes('ERROR --> CONFIG_UNLOCKED'));
  assert.is(
    leave,
    '  ERROR --> CONFIG_UNLOCKED : STOP_INTERFACE_REQUEST, conventional-reset, scrubbed',
  );
});

test('firmware update: TerminationPolicy and NO_FW_UPDATE', () => {
  assert.is(firmwareUpdateVerdict(0, false), 'update-and-end-session');
  assert.is(firmwareUpdateVerdict(0, true), 'refuse');
  assert.is(firmwareUpdateVerdict(1, false), 'update');
  assert.is(firmwareUpdateVerdict(1, true), 'refuse');
});

test.run();
