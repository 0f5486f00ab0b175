/** Things that sit on the fabric, and the host software that drives them. */

export * from './bar-space.ts';
export * from './config-space.ts';
export * from './dma-engine.ts';
export * from './dsm.ts';
export * from './endpoint.ts';
export * from './function.ts';
export * from './iommu.ts';
export * from './link.ts';
export * from './memory.ts';
export * from './pcie-port.ts';
export * from './records.ts';
export * from './root-complex.ts';
export * from './root-port.ts';
