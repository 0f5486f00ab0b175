/** The verb `serve`: a simulated device as an SPDM responder on TCP, for the DMTF emulators and QEMU. */

import { type Command, Option } from 'commander';
import { toHex } from '../../protocols/codec/bytes.ts';
import type { KeyLogEntry } from '../../protocols/spdm/party.ts';
import { engines as defaultEngines } from '../socket/default-engines.ts';
import {
  EngineRefusal,
  type Engines,
  type PresharedKey,
  type ResponderEngine,
  type SpdmChoices,
} from '../socket/engines.ts';
import { type SocketProfileName, socketProfiles } from '../socket/profile.ts';
import { type SocketLogEntry, type SocketServer, serveSockets } from '../socket/server.ts';
import { socketTransports } from '../socket/transport.ts';
import { ExitCodes, type Io, UsageError } from './io.ts';
import { type FileOptions, readerOf, readRequester } from './serve-files.ts';
import { PROFILE_DEFAULT, readDevice } from './serve-profile.ts';
import { addSpdmOptions, choicesOf } from './spdm-options.ts';
import {
  addOwnOptions,
  decodeHints,
  hostOf,
  keyLogLine,
  numberOption,
  type OwnOptions,
  openCapture,
  PSK_HELP,
  providers,
  pskOption,
  randomOf,
} from './spdm-options-own.ts';

interface ServeOptions extends OwnOptions, FileOptions {
  readonly profile: string;
  readonly peer: SocketProfileName;
  readonly shutdown: 'stay' | 'exit';
  readonly rootOut?: string;
  readonly publicKeyOut?: string;
  readonly maxConnections?: number;
  readonly psk: readonly PresharedKey[];
  readonly serviceTimeMs?: number;
  readonly quirk?: 'spdm-emu';
}

const IDENTITY_SEED_DEFAULT = 1;
/** FUNCTION_ID that the requester emulator asks for. */
const FUNCTION_ID_DEFAULT = 0xbeef;

const collect = (value: string, all: readonly string[]): string[] => [...all, value];

const listenHints: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken: stop what listens there, or choose another with --port',
  EACCES: 'not permitted: choose a port above 1023 with --port',
  EADDRNOTAVAIL: 'no address of this machine: check --host',
  ENOTFOUND: 'no such host: check --host',
};

/** The requester's command line that attaches to this server. */
function howToAttach(
  options: ServeOptions,
  port: number,
  transport: string,
  engine: ResponderEngine,
): string {
  if (options.peer === 'qemu')
    return `qemu-system-x86_64 ... -device nvme,serial=n1,bus=rp1,spdm_port=${port}`;
  const more = engine.requesterArguments.join(' ');
  return `spdm_requester_emu --trans ${transport} --port ${port} ${more}`;
}

/** Prints who is there and how to reach it. */
function announce(
  io: Io,
  options: ServeOptions,
  facts: { host: string; port: number; transport: string; engine: ResponderEngine },
): void {
  const { host, port, transport, engine } = facts;
  const attach = howToAttach(options, port, transport, engine);
  const rootSha256 = toHex(providers.node.hash('SHA_256', engine.rootCertificate));
  if (options.json === true) {
    const { deviceInfo } = engine;
    const { peer } = options;
    const schema = 'tdisp-sim/serve@1';
    const where = { host, port, transport, peer };
    io.out(`${JSON.stringify({ schema, ...where, device: deviceInfo, rootSha256, attach })}\n`);
    return;
  }
  const { bold, dim } = io.colours;
  io.out(`${bold(engine.deviceInfo)} serves SPDM on ${host}:${port}, ${transport}\n`);
  if (options.quiet === true) return;
  io.out(`  root certificate SHA-256 ${rootSha256}\n`);
  if (options.rootOut !== undefined) io.out(`  root certificate kept in ${options.rootOut}\n`);
  io.out(
    `  attach with\n    ${attach}\n    tdisp-sim attach --port ${port} --trans ${transport}\n`,
  );
  io.out(dim('  Ctrl-C ends it\n'));
}

const MESSAGE = 'MESSAGE';

function makeLog(io: Io, options: ServeOptions): (entry: SocketLogEntry) => void {
  const write = options.json === true ? io.err : io.out;
  const paint = {
    info: io.colours.dim,
    refused: io.colours.warn,
    fault: io.colours.bad,
  };
  return ({ connection, level, event, detail }) => {
    if (options.quiet === true && level !== 'fault') return;
    const who = connection === 0 ? 'server' : `connection ${connection}`;
    write(`${paint[level](`${who} ${event}`)} ${detail}\n`);
  };
}

/** @throws UsageError on choices the engine refuses */
function makeEngine(
  io: Io,
  options: ServeOptions,
  engines: Engines,
  choices: SpdmChoices,
  keyLog: (entry: KeyLogEntry) => void,
) {
  const { dataTransferSizeMax, transmitSize } = socketProfiles[options.peer];
  const files = readerOf(io, options);
  const log = makeLog(io, options);
  const note = (event: string, detail: string) => {
    if (event !== MESSAGE || options.verbose === true)
      log({ connection: 0, level: 'info', event, detail });
  };
  try {
    return engines.makeResponder({
      crypto: providers[options.crypto],
      random: randomOf(options, 'responder'),
      transport: socketTransports[choices.transport ?? 'PCI_DOE'],
      choices,
      device: readDevice(io, options.profile),
      identitySeed: options.seed ?? IDENTITY_SEED_DEFAULT,
      functionId: options.functionId ?? FUNCTION_ID_DEFAULT,
      dataTransferSizeMax,
      requester: readRequester(io, options),
      psks: options.psk,
      now: io.now,
      ...(files === undefined ? {} : { files }),
      ...(transmitSize === undefined ? {} : { transmitSize }),
      ...(options.serviceTimeMs === undefined ? {} : { serviceTimeMs: options.serviceTimeMs }),
      ...(options.quirk === undefined ? {} : { quirk: options.quirk }),
      note,
      keyLog,
    });
  } catch (error) {
    if (error instanceof EngineRefusal) throw new UsageError(error.message);
    throw error;
  }
}

/** Resolves when the user, or a SHUTDOWN that was told to, ends the serving. */
function ended(): { promise: Promise<void>; end: () => void } {
  let end = () => {};
  const promise = new Promise<void>((resolve) => {
    end = () => {
      process.off('SIGINT', end);
      process.off('SIGTERM', end);
      resolve();
    };
    process.on('SIGINT', end);
    process.on('SIGTERM', end);
  });
  return { promise, end };
}

async function listen(...[options]: Parameters<typeof serveSockets>): Promise<SocketServer> {
  try {
    return await serveSockets(options);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    const hint = listenHints[code] ?? message;
    throw new UsageError(`cannot listen on ${options.host}:${options.port}: ${hint}`);
  }
}

const QEMU = 'qemu';

/** `--profile qemu` says in one word what QEMU's spdm_port needs: the shipped device, and that peer. */
const settled = (options: ServeOptions): ServeOptions =>
  options.profile === QEMU ? { ...options, profile: PROFILE_DEFAULT, peer: QEMU } : options;

async function serve(asked: ServeOptions, io: Io, engines: Engines): Promise<void> {
  const options = settled(asked);
  const choices = choicesOf(options as unknown as Record<string, unknown>, 'serve');
  const transport = socketTransports[choices.transport ?? 'PCI_DOE'];
  const host = hostOf(options);
  const secrets: KeyLogEntry[] = [];
  const keyLog = (entry: KeyLogEntry) => {
    secrets.push(entry);
    if (options.keylog !== undefined)
      io.writeFile(options.keylog, secrets.map(keyLogLine).join(''));
  };
  if (options.keylog !== undefined) io.writeFile(options.keylog, '');
  const engine = makeEngine(io, options, engines, choices, keyLog);
  if (options.rootOut !== undefined) io.writeFile(options.rootOut, engine.rootCertificate);
  if (options.publicKeyOut !== undefined) io.writeFile(options.publicKeyOut, engine.publicKey);
  const capture = openCapture(io, options.pcap, transport.name);
  const until = ended();
  try {
    const server = await listen({
      host,
      port: options.port,
      transport,
      profile: socketProfiles[options.peer],
      connect: engine.connect,
      log: makeLog(io, options),
      ...(capture === undefined ? {} : { tap: (payload) => capture.write(payload) }),
      ...(options.shutdown === 'exit' ? { onShutdown: until.end } : {}),
      ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections }),
    });
    announce(io, options, { host, port: server.port, transport: transport.name, engine });
    await until.promise;
    await server.close();
    if (server.faults() > 0) io.setExitCode(ExitCodes.INTERNAL);
  } finally {
    until.end();
    capture?.close();
  }
  if (options.pcap !== undefined && options.quiet !== true && options.json !== true)
    io.out(
      `${['The capture is decoded by either of', ...decodeHints(options.pcap, secrets)].join('\n  ')}\n`,
    );
}

const EXAMPLES = `
Examples:
  tdisp-sim serve                                   for spdm_requester_emu --trans PCI_DOE
  tdisp-sim serve --trans MCTP --port 2400 -v       each message as it comes
  tdisp-sim serve --peer qemu --root-out root.der   for QEMU's -device nvme,...,spdm_port=2323
  tdisp-sim serve --profile lab-nic.yaml --hash SHA_256 --asym ECDSA_P256
  tdisp-sim serve --ver 1.4 --asym NONE --dhe NONE  post-quantum alone
  tdisp-sim serve --service-time-ms 200             a requester that must come back for signatures

Options and values are spelled as spdm_responder_emu spells them, and have its defaults; dashes do as well
as underscores. What concerns requesters alone is accepted and has no effect. Slots 0 and 1 share a key,
slot 4 has one of its own in multi-key connections, key pair 1 is spare. Every connection has sessions of
its own; keys and certificates are the device's, and what SET_CERTIFICATE stores stays until it ends. It
listens on loopback unless --host says otherwise: keys come from the seed and protect nothing. With --peer
qemu every request gets an answer, an empty one if need be, since a silent responder stops the virtual
machine.
Exit codes: 0 ended by the user or a SHUTDOWN, 2 usage, 3 an engine failed while serving.`;

/** Registers the verb over given engines. */
export function registerServe(program: Command, io: Io, engines: Engines): void {
  const command = program
    .command('serve')
    .summary('a simulated device as an SPDM responder on TCP')
    .description('Serves a simulated device in the socket framing of the DMTF emulators and QEMU.');
  addOwnOptions(command, 'address to listen on; default loopback')
    .option(
      '--profile <NAME|FILE>',
      'the device: a shipped profile or a file; qemu: the shipped one, with --peer qemu',
      PROFILE_DEFAULT,
    )
    .addOption(
      new Option('--peer <WHO>', 'who attaches, which decides how silence is put')
        .choices(Object.keys(socketProfiles))
        .default('emu'),
    )
    .addOption(
      new Option('--shutdown <HOW>', 'on SHUTDOWN: serve on, or end as spdm_responder_emu does')
        .choices(['stay', 'exit'])
        .default('stay'),
    )
    .option('--root-out <FILE>', 'write the root certificate there, in DER')
    .option('--public-key-out <FILE>', 'write the public key of slot 0xFF there, in DER')
    .option(
      '--cert-dir <DIR>',
      "the device's chains and keys in the emulators' layout (ecp384/bundle_responder.certchain.der, ecp384/end_responder.key ...); default: drawn from --seed",
    )
    .option(
      '--peer-root <FILE>',
      "root of requesters' certificates, PEM or DER; may be repeated; default: any, with a warning",
      collect,
      [],
    )
    .option(
      '--peer-chain <FILE>',
      "a requester's certificates, root first, which need not be asked for; may be repeated",
      collect,
      [],
    )
    .option(
      '--peer-key <FILE>',
      'public key of a requester without certificates, SubjectPublicKeyInfo in DER; may be repeated',
      collect,
      [],
    )
    .option('--psk <HINT=HEX>', PSK_HELP, pskOption, [])
    .addOption(
      new Option(
        '--quirk <WHOSE>',
        'spdm-emu: acknowledge SET_CERTIFICATE and SET_KEY_PAIR_INFO and do nothing, as the DMTF sample',
      ).choices(['spdm-emu']),
    )
    .option(
      '--service-time-ms <N>',
      'each signature takes this long, and the requester is told to come back (ResponseNotReady)',
      numberOption('service-time-ms', 1, 60_000),
    )
    .option(
      '--max-connections <N>',
      'connections at once; default 64',
      numberOption('max-connections', 1, 0xffff),
    );
  addSpdmOptions(command, 'serve')
    .addHelpText('after', EXAMPLES)
    .action((options: ServeOptions) => serve(options, io, engines));
}

export const register = (program: Command, io: Io): void =>
  registerServe(program, io, defaultEngines);
