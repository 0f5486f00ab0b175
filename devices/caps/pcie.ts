/**
 * The PCI Express capability (PCIe Base 6.x clause 7.5.3): port type, Device, Link and Root registers.
 * FLR is started by Device Control and carried out by whoever owns the function. Registers of slots
 * read 0: no port modelled here has one that software could work.
 */

import { LocalError } from '../../protocols/codec/refusal.ts';
import { CapabilityIds } from './names.ts';
import { type FieldSpec, RegisterCapability, type RegisterSpec } from './register-block.ts';

/** Device/Port Type */
export const PortTypes = {
  ENDPOINT: 0x0,
  LEGACY_ENDPOINT: 0x1,
  ROOT_PORT: 0x4,
  UPSTREAM_PORT: 0x5,
  DOWNSTREAM_PORT: 0x6,
  RCIEP: 0x9,
  RCEC: 0xa,
} as const;
export type PortType = (typeof PortTypes)[keyof typeof PortTypes];

/** Names as lspci prints them. */
export const portTypeNames: Readonly<Record<number, string>> = {
  0: 'Endpoint',
  1: 'Legacy Endpoint',
  4: 'Root Port',
  5: 'Upstream Port',
  6: 'Downstream Port',
  9: 'Root Complex Integrated Endpoint',
  10: 'Root Complex Event Collector',
};

export interface PcieCapabilityOptions {
  readonly portType: PortType;
  /** Max_Payload_Size Supported in bytes: 128, 256 ... 4096; default 512 */
  readonly maxPayloadBytes?: number;
  /** Function Level Reset Capability; endpoints only */
  readonly flr?: boolean;
  /** TEE-IO Supported */
  readonly teeIo?: boolean;
  /** fastest link speed as a generation, 1 (2.5 GT/s) to 7; ignored for RCiEP and RCEC */
  readonly generation?: number;
  /** widest link: 1, 2, 4, 8 or 16 lanes */
  readonly lanes?: number;
  readonly portNumber?: number;
  /** Initiate Function Level Reset was written 1 */
  readonly onFlr?: () => void;
  /** Retrain Link was written 1 */
  readonly onRetrain?: () => void;
}

const CAPABILITY_BYTES = 0x3c;
const CAPABILITY_VERSION = 2;
const GENERATION_MAX = 7;
const MRRS_512 = 2;
const SIZE_CODE_MAX = 5;

/** The 3-bit code of a payload or read request size: 128 bytes is 0, 4096 is 5. */
export function sizeCode(bytes: number): number {
  const code = Math.log2(bytes) - 7;
  if (!Number.isInteger(code) || code < 0 || code > SIZE_CODE_MAX)
    throw new LocalError(`bytes: ${bytes} is none of 128, 256, 512, 1024, 2048, 4096`);
  return code;
}

type Access = FieldSpec['access'];
const field = (
  name: string,
  lsb: number,
  width: number,
  access: Access,
  reset = 0,
  more: Partial<FieldSpec> = {},
): FieldSpec => ({ name, lsb, width, access, reset, ...more });

const keep = { survives: 'flr' } as const;
const sizes = { accept: (code: number) => code <= SIZE_CODE_MAX };

function deviceRegisters(options: PcieCapabilityOptions, flr: boolean): RegisterSpec[] {
  const supported = sizeCode(options.maxPayloadBytes ?? 512);
  return [
    {
      name: 'PCI Express Capabilities',
      offset: 0x02,
      bytes: 2,
      fields: [
        field('Capability_Version', 0, 4, 'HwInit', CAPABILITY_VERSION),
        field('Device_Port_Type', 4, 4, 'HwInit', options.portType),
      ],
    },
    {
      name: 'Device Capabilities',
      offset: 0x04,
      bytes: 4,
      fields: [
        field('Max_Payload_Size_Supported', 0, 3, 'HwInit', supported),
        field('Extended_Tag_Supported', 5, 1, 'HwInit', 1),
        field('Role_Based_Error_Reporting', 15, 1, 'HwInit', 1),
        field('FLR_Capability', 28, 1, 'HwInit', flr ? 1 : 0),
        field('TEE_IO_Supported', 30, 1, 'HwInit', options.teeIo === true ? 1 : 0),
      ],
    },
    {
      name: 'Device Control',
      offset: 0x08,
      bytes: 2,
      fields: [
        field('Correctable_Error_Reporting_Enable', 0, 1, 'RW'),
        field('Non_Fatal_Error_Reporting_Enable', 1, 1, 'RW'),
        field('Fatal_Error_Reporting_Enable', 2, 1, 'RW'),
        field('Unsupported_Request_Reporting_Enable', 3, 1, 'RW'),
        field('Enable_Relaxed_Ordering', 4, 1, 'RW', 1),
        field('Max_Payload_Size', 5, 3, 'RW', 0, { ...keep, ...sizes }),
        field('Extended_Tag_Field_Enable', 8, 1, 'RW', 1),
        field('Enable_No_Snoop', 11, 1, 'RW', 1),
        field('Max_Read_Request_Size', 12, 3, 'RW', MRRS_512, sizes),
        field('Initiate_FLR', 15, 1, flr ? 'W1' : 'RO'),
      ],
    },
    {
      name: 'Device Status',
      offset: 0x0a,
      bytes: 2,
      fields: [
        field('Correctable_Error_Detected', 0, 1, 'RW1C'),
        field('Non_Fatal_Error_Detected', 1, 1, 'RW1C'),
        field('Fatal_Error_Detected', 2, 1, 'RW1C'),
        field('Unsupported_Request_Detected', 3, 1, 'RW1C'),
        field('Transactions_Pending', 5, 1, 'RO'),
      ],
    },
  ];
}

function linkRegisters(options: PcieCapabilityOptions): RegisterSpec[] {
  const { generation = 5, lanes = 16, portNumber = 0, portType } = options;
  const downstream = portType === PortTypes.ROOT_PORT || portType === PortTypes.DOWNSTREAM_PORT;
  const portOnly: Access = downstream ? 'RW' : 'RO';
  return [
    {
      name: 'Link Capabilities',
      offset: 0x0c,
      bytes: 4,
      fields: [
        field('Max_Link_Speed', 0, 4, 'HwInit', generation),
        field('Maximum_Link_Width', 4, 6, 'HwInit', lanes),
        field('Data_Link_Layer_Link_Active_Reporting', 20, 1, 'HwInit', downstream ? 1 : 0),
        field('ASPM_Optionality_Compliance', 22, 1, 'HwInit', 1),
        field('Port_Number', 24, 8, 'HwInit', portNumber),
      ],
    },
    {
      name: 'Link Control',
      offset: 0x10,
      bytes: 2,
      fields: [
        field('ASPM_Control', 0, 2, 'RW', 0, keep),
        field('RCB', 3, 1, portType === PortTypes.ROOT_PORT ? 'RO' : 'RW', 0, keep),
        field('Link_Disable', 4, 1, portOnly, 0, keep),
        field('Retrain_Link', 5, 1, downstream ? 'W1' : 'RO'),
        field('Common_Clock_Configuration', 6, 1, 'RW', 0, keep),
        field('Extended_Synch', 7, 1, 'RW', 0, keep),
      ],
    },
    {
      name: 'Link Status',
      offset: 0x12,
      bytes: 2,
      fields: [
        field('Current_Link_Speed', 0, 4, 'HwInit', generation),
        field('Negotiated_Link_Width', 4, 6, 'HwInit', lanes),
        field('Link_Training', 11, 1, 'HwInit'),
        field('Data_Link_Layer_Link_Active', 13, 1, 'HwInit', downstream ? 1 : 0),
      ],
    },
    {
      name: 'Link Capabilities 2',
      offset: 0x2c,
      bytes: 4,
      fields: [field('Supported_Link_Speeds_Vector', 1, 7, 'HwInit', 2 ** generation - 1)],
    },
    {
      name: 'Link Control 2',
      offset: 0x30,
      bytes: 2,
      fields: [
        field('Target_Link_Speed', 0, 4, 'RW', generation, {
          survives: 'sticky',
          accept: (speed) => speed >= 1 && speed <= generation,
        }),
      ],
    },
  ];
}

const rootRegisters: readonly RegisterSpec[] = [
  {
    name: 'Root Control',
    offset: 0x1c,
    bytes: 2,
    fields: [
      field('System_Error_on_Correctable_Error_Enable', 0, 1, 'RW'),
      field('System_Error_on_Non_Fatal_Error_Enable', 1, 1, 'RW'),
      field('System_Error_on_Fatal_Error_Enable', 2, 1, 'RW'),
      field('PME_Interrupt_Enable', 3, 1, 'RW'),
    ],
  },
  {
    name: 'Root Status',
    offset: 0x20,
    bytes: 4,
    fields: [field('PME_Requester_ID', 0, 16, 'RO'), field('PME_Status', 16, 1, 'RW1C')],
  },
];

/** Registers of the second block besides the link's: Device Capabilities 2 and Control 2. */
function device2Registers(portType: PortType): RegisterSpec[] {
  const isDownstream = portType === PortTypes.ROOT_PORT || portType === PortTypes.DOWNSTREAM_PORT;
  return [
    {
      name: 'Device Capabilities 2',
      offset: 0x24,
      bytes: 4,
      fields: [
        field('Completion_Timeout_Disable_Supported', 4, 1, 'HwInit', 1),
        field('ARI_Forwarding_Supported', 5, 1, 'HwInit', isDownstream ? 1 : 0),
        field('10_Bit_Tag_Completer_Supported', 16, 1, 'HwInit', 1),
        field('10_Bit_Tag_Requester_Supported', 17, 1, 'HwInit', 1),
      ],
    },
    {
      name: 'Device Control 2',
      offset: 0x28,
      bytes: 2,
      fields: [
        field('Completion_Timeout_Disable', 4, 1, 'RW'),
        field('ARI_Forwarding_Enable', 5, 1, isDownstream ? 'RW' : 'RO'),
        field('IDO_Request_Enable', 8, 1, 'RW'),
        field('IDO_Completion_Enable', 9, 1, 'RW'),
        field('10_Bit_Tag_Requester_Enable', 12, 1, 'RW'),
      ],
    },
  ];
}

/** A link as it stands: generation 1 to 7 and lanes. */
export interface LinkState {
  readonly generation: number;
  readonly lanes: number;
}

export class PcieCapability extends RegisterCapability {
  readonly portType: PortType;

  /** @throws LocalError on a size, speed or width that has no encoding, or FLR on a port. */
  constructor(options: PcieCapabilityOptions) {
    const { portType, generation = 5, lanes = 16, flr = false } = options;
    const endpoint = isEndpoint(portType);
    if (flr && !endpoint) throw new LocalError('flr: only endpoints have FLR');
    checkLink({ generation, lanes });
    const hasLink = portType !== PortTypes.RCIEP && portType !== PortTypes.RCEC;
    const hasRoot = portType === PortTypes.ROOT_PORT || portType === PortTypes.RCEC;
    const registers = [
      ...deviceRegisters(options, flr),
      ...device2Registers(portType),
      ...(hasLink ? linkRegisters(options) : []),
      ...(hasRoot ? rootRegisters : []),
    ];
    super(CapabilityIds.EXPRESS, CAPABILITY_BYTES, registers, (register) => {
      if (register === 'Device Control.Initiate_FLR') options.onFlr?.();
      else options.onRetrain?.();
    });
    this.portType = portType;
  }

  /** Max_Payload_Size as set, in bytes. */
  get maxPayloadBytes(): number {
    return 128 << this.registers.get('Device Control.Max_Payload_Size');
  }

  /** Max_Read_Request_Size as set, in bytes. */
  get maxReadRequestBytes(): number {
    return 128 << this.registers.get('Device Control.Max_Read_Request_Size');
  }

  /** What Link Status says of the link; undefined: down. @throws LocalError on a link without encoding */
  setLink(link: LinkState | undefined): void {
    if (link !== undefined) checkLink(link);
    this.registers.set('Link Status.Current_Link_Speed', link?.generation ?? 1);
    this.registers.set('Link Status.Negotiated_Link_Width', link?.lanes ?? 0);
    if (this.registers.get('Link Capabilities.Data_Link_Layer_Link_Active_Reporting') === 1)
      this.registers.set('Link Status.Data_Link_Layer_Link_Active', link === undefined ? 0 : 1);
  }
}

function isEndpoint(portType: PortType): boolean {
  return (
    portType === PortTypes.ENDPOINT ||
    portType === PortTypes.LEGACY_ENDPOINT ||
    portType === PortTypes.RCIEP
  );
}

function checkLink({ generation, lanes }: LinkState): void {
  if (!Number.isInteger(generation) || generation < 1 || generation > GENERATION_MAX)
    throw new LocalError(`generation: expected 1..${GENERATION_MAX}, got ${generation}`);
  if (![1, 2, 4, 8, 16].includes(lanes))
    throw new LocalError(`lanes: ${lanes} is none of 1, 2, 4, 8, 16`);
}
