/** The outside world over TCP: responders and requesters in the DMTF emulators' socket framing. */

export * from './attach-report.ts';
export { SocketCapture } from './capture.ts';
export * from './client.ts';
export { engines } from './default-engines.ts';
export * from './drive.ts';
export * from './engines.ts';
export * from './frame.ts';
export * from './profile.ts';
export {
  type Connection,
  type ServeOptions,
  type SocketLogEntry,
  type SocketServer,
  serveSockets,
  type Trigger,
} from './server.ts';
export * from './transport.ts';
