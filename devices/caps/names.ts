/** Capability ids by the names lspci prints; what it has no name for is shown by number. */

export const CapabilityIds = {
  POWER_MANAGEMENT: 0x01,
  MSI: 0x05,
  VENDOR_SPECIFIC: 0x09,
  EXPRESS: 0x10,
  MSIX: 0x11,
} as const;

export const ExtendedCapabilityIds = {
  AER: 0x0001,
  DEVICE_SERIAL_NUMBER: 0x0003,
  ACS: 0x000d,
  ARI: 0x000e,
  ATS: 0x000f,
  SRIOV: 0x0010,
  PRI: 0x0013,
  PASID: 0x001b,
  DVSEC: 0x0023,
  DOE: 0x002e,
  IDE: 0x0030,
} as const;

export const capabilityNames: Readonly<Record<number, string>> = {
  1: 'Power Management',
  2: 'AGP',
  3: 'Vital Product Data',
  4: 'Slot ID',
  5: 'MSI',
  6: 'CompactPCI hot-swap',
  7: 'PCI-X',
  8: 'HyperTransport',
  9: 'Vendor Specific Information',
  10: 'Debug port',
  11: 'CompactPCI central resource control',
  12: 'Hot-plug capable',
  13: 'Subsystem',
  14: 'AGP3',
  15: 'Secure device',
  16: 'Express',
  17: 'MSI-X',
  18: 'SATA HBA',
  19: 'PCI Advanced Features',
  20: 'Enhanced Allocation (EA)',
};

export const extendedCapabilityNames: Readonly<Record<number, string>> = {
  0: 'Null',
  1: 'Advanced Error Reporting',
  2: 'Virtual Channel',
  3: 'Device Serial Number',
  4: 'Power Budgeting',
  5: 'Root Complex Link',
  6: 'Root Complex Internal Link',
  7: 'Root Complex Event Collector',
  8: 'Multi-Function Virtual Channel',
  9: 'Virtual Channel',
  10: 'Root Complex Register Block',
  11: 'Vendor Specific Information',
  13: 'Access Control Services',
  14: 'Alternative Routing-ID Interpretation (ARI)',
  15: 'Address Translation Service (ATS)',
  16: 'Single Root I/O Virtualization (SR-IOV)',
  17: 'Multi-Root I/O Virtualization',
  18: 'Multicast',
  19: 'Page Request Interface (PRI)',
  21: 'Physical Resizable BAR',
  22: 'Dynamic Power Allocation',
  23: 'Transaction Processing Hints',
  24: 'Latency Tolerance Reporting',
  25: 'Secondary PCI Express',
  26: 'Protocol Multiplexing',
  27: 'Process Address Space ID (PASID)',
  28: 'LN Requester',
  29: 'Downstream Port Containment',
  30: 'L1 PM Substates',
  31: 'Precision Time Measurement',
  32: 'PCI Express over M_PHY',
  33: 'FRS Queueing',
  34: 'Readiness Time Reporting',
  35: 'Designated Vendor-Specific',
  36: 'Virtual Resizable BAR',
  37: 'Data Link Feature',
  38: 'Physical Layer 16.0 GT/s',
  39: 'Lane Margining at the Receiver',
  40: 'Hierarchy ID',
  41: 'Native PCIe Enclosure Management',
  42: 'Physical Layer 32.0 GT/s',
  46: 'Data Object Exchange',
  47: 'Device 3',
  48: 'Integrity & Data Encryption',
  49: 'Physical Layer 64.0 GT/s',
  50: 'Flit Logging',
};

/** Name of a capability by its 8-bit id. */
export function capabilityName(id: number): string {
  return capabilityNames[id] ?? `#${id.toString(16).padStart(2, '0')}`;
}

/** Name of an extended capability by its 16-bit id. */
export function extendedCapabilityName(id: number): string {
  return extendedCapabilityNames[id] ?? `Extended Capability ID 0x${id.toString(16)}`;
}
