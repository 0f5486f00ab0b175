/** The host software of TEE I/O: enumeration, DOE driver, TSM, TDI assignment, and who touches the device. */

export * from './agents.ts';
export * from './doe.ts';
export * from './ide-setup.ts';
export * from './pci.ts';
export * from './tdi-assignment.ts';
export * from './trust.ts';
export * from './tsm.ts';
