/**
 * Messages of two connections between the DMTF emulators, one of SPDM 1.2 and one of 1.3: P-384, SHA-384,
 * AES-256-GCM, handshake in the clear. The transport's padding is cut off.
 */

import type { Facts } from '../../../protocols/codec/field.ts';

export interface Recorded {
  readonly name: string;
  readonly hex: string;
  /** facts besides what the connection agreed on */
  readonly extra: Facts;
  /** path of a field and its value, bytes in hex */
  readonly fields: Readonly<Record<string, number | string>>;
}

export const recorded: readonly Recorded[] = [
  { name: 'GET_VERSION', hex: '10840000', extra: {}, fields: { SPDMVersion: 16 } },
  {
    name: 'VERSION',
    hex: '1004000000010012',
    extra: {},
    fields: { VersionNumberEntryCount: 1, 'VersionNumberEntry.0': 0x1200 },
  },
  {
    name: 'GET_CAPABILITIES',
    hex: '12e1000000000000c6f702000012000000120000',
    extra: {},
    fields: { CTExponent: 0, Flags: 0x2f7c6, DataTransferSize: 0x1200, MaxSPDMmsgSize: 0x1200 },
  },
  {
    name: 'CAPABILITIES',
    hex: '1261000000000000f7fb1a000012000000120000',
    extra: {},
    fields: { Flags: 0x1afbf7, DataTransferSize: 0x1200 },
  },
  {
    name: 'NEGOTIATE_ALGORITHMS',
    hex: [
      '12e304003000010290000000030000000000000000000000000000000000000002201b0003200600',
      '04200f0005200100',
    ].join(''),
    extra: {},
    fields: {
      Length: 48,
      MeasurementSpecification: 1,
      BaseAsymAlgo: 0x90,
      BaseHashAlgo: 3,
      'AlgStruct.0.AlgType': 2,
      'AlgStruct.0.AlgSupported': 27,
      'AlgStruct.3.AlgType': 5,
    },
  },
  {
    name: 'ALGORITHMS',
    hex: [
      '12630400340001020800000080000000020000000000000000000000000000000000000002201000',
      '032002000420080005200100',
    ].join(''),
    extra: {},
    fields: {
      Length: 52,
      MeasurementHashAlgo: 8,
      BaseAsymSel: 0x80,
      BaseHashSel: 2,
      'AlgStruct.0.AlgSupported': 16,
      'AlgStruct.1.AlgSupported': 2,
    },
  },
  { name: 'GET_DIGESTS', hex: '12810000', extra: {}, fields: { Param1: 0 } },
  {
    name: 'DIGESTS',
    hex: [
      '12010003dc024e78fa5e45d82e45c67fb5fce2b9987adfee9ea33e56d5ed8347e8aaa3d01891727f',
      '3c5dd7a2e1ab7fd36138375d0d0d5cf1c3ba902cd59c95f25e29150fa378708ea1cd9782da82ffc3',
      'eac48e1348220e89ab97f8bb928a824e9ef5951f',
    ].join(''),
    extra: {},
    fields: { Param2: 3, 'Digest.length': 2 },
  },
  {
    name: 'GET_CERTIFICATE',
    hex: '128200000000f811',
    extra: {},
    fields: { Param1: 0, Offset: 0, Length: 0x11f8 },
  },
  {
    name: 'CHALLENGE',
    hex: '128300ff56a8136aecd4e019e6fbdc5af6ecd95c941a2b312ab35bf2ae6239942592f971',
    extra: {},
    fields: { Param2: 0xff },
  },
  {
    name: 'CHALLENGE_AUTH',
    hex: [
      '12030003dc024e78fa5e45d82e45c67fb5fce2b9987adfee9ea33e56d5ed8347e8aaa3d01891727f',
      '3c5dd7a2e1ab7fd36138375dfab08618b6d96a5fffd263071e2c6baf9fae5e9e0a13e7fbe49bd023',
      'a827b3e8fdabe16b17dedf3e762a76f1c5d9ee015e9f50b75bd75ea18db5d398b880258b46fcc81a',
      'e53a9aa35f49f4c24f4ed5a200001db66ea1a09ee1eefca6cac03baba459293ac7aab3a64a52910b',
      'cb6e06a9732ed5ee91ebf2bd757976b43db46623e3d7429f81bb3b66394b5861e1b8bb88c22800f0',
      '02fe3cabecbac0295e15d231d86b97c49b678938135bfb3135c661e6e8f8',
    ].join(''),
    extra: { summary: 1 },
    fields: {
      Param2: 3,
      OpaqueDataLength: 0,
      CertChainHash:
        'dc024e78fa5e45d82e45c67fb5fce2b9987adfee9ea33e56d5ed8347e8aaa3d01891727f3c5dd7a2e1ab7fd36138375d',
      MeasurementSummaryHash:
        'fdabe16b17dedf3e762a76f1c5d9ee015e9f50b75bd75ea18db5d398b880258b46fcc81ae53a9aa35f49f4c24f4ed5a2',
    },
  },
  {
    name: 'GET_MEASUREMENTS',
    hex: '12e001ff9f2a7c89ec95e06797825efdaad136f00b290765b2bb8c0e654c69a1418cfd7300',
    extra: {},
    fields: { Param1: 1, Param2: 0xff, SlotIDParam: 0 },
  },
  {
    name: 'MEASUREMENTS',
    hex: [
      '1260002008100200010143000040008d531d77d821e167114d1eb07e0ae19cfb565152408843c768',
      'f1135b548fdfa13a203e5c7f129ceacc017df26c999f62da26dbf2e1128345ec0f65d37f87ca4102',
      '0143000140009effd8a668f76d3fce35451a136f8ef6710260e9ca28beef897f559fcdba48a4c066',
      '560fb4900195cae4d4fab1f7d11243421008af8614d92a3fcabbbf75248f03014300024000ffde42',
      '483a687dd47d05f956a2d62007b71a2988084da1095ec2e43bca156680cae07d0b84cbc7fc9b1d4e',
      '80cd8669aa956aed8bb17b0a20a5031c288dfa8b9f040143000340003a0bd5b08436b1d386122090',
      'cfa0446cf2571b74f2a15f44df735695dab84bbb1bebb3aef39af6a0f97279b5fb04d513a52dd165',
      '47fe88d0455815520c861ed410010b00870800070000000000000011014300084000c4f9625b48d4',
      'e0e192c463a2d00b43305d7d588d7d9c846c1d3f9ed1198883729a55b9178a4f7101dfa1c8323439',
      '1b2ee98027e8a435d0283e29784ecda6406efd018300848000fdfdfdfdfdfdfdfdfdfdfdfdfdfdfd',
      'fdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfd',
      'fdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfd',
      'fdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfe011300851000',
      '3f000000040000001f00000011000000f45b95536b75a7b0c2e47f9f285d7b40215fcac30b83b5ef',
      'c57da1a09ffd83740000114adb1ac40d95b472488da16a026d717525cb694e7ad60904a9b087ecd7',
      '57c94c27b5a3620ea8efc37239a86cb6b27bfa3a00a15ba8f084b451728cf42df8a1569dfbee54f9',
      '78c9a47977e8159765171a5161c883fa56dfc83cad8f7bd5f2c9',
    ].join(''),
    extra: { signed: 1 },
    fields: {
      Param2: 32,
      NumberOfBlocks: 8,
      MeasurementRecordLength: 0x210,
      'MeasurementRecord.4.Index': 16,
      'MeasurementRecord.4.ValueType': 0x87,
      'MeasurementRecord.7.Index': 0xfe,
    },
  },
  {
    name: 'KEY_EXCHANGE',
    hex: [
      '12e4ff00ffff0100b9bfa754f2677862e19f901ff4147ce9440dc7e010ac57800dc004e235578d44',
      '23aac98014df468788d6559bd04d1ec1570ada279f929038881fc9457b7667cb2e47ab11805983b0',
      '141227106541a2a1f3b1b56b20f67c784025b9dbf55eb4c13c3d6e0a3befa12a95a1f0a6311b6b90',
      'b83c7521399932e0db6fdecacd7b788f14000100000000000900010103001000110012000000',
    ].join(''),
    extra: {},
    fields: { ReqSessionID: 0xffff, SessionPolicy: 1, OpaqueDataLength: 20 },
  },
  {
    name: 'KEY_EXCHANGE_RSP',
    hex: [
      '1264f000ffff000048310d09207ca28c556dcdaa8203cb0fb85f695110585f403db5e8718920a534',
      'f049c9bc112fc506f08036047c7a37dff1f124709fc70ab27b40f9e0cd3693ef185da10b412221a8',
      '55ae550ad6c5c8a93447ae6a936abcc617af84881daeaeeffc423a2b14476c03ff3f813148747142',
      'ae9d6e11e9852fa70f08d467e3d7c831fdabe16b17dedf3e762a76f1c5d9ee015e9f50b75bd75ea1',
      '8db5d398b880258b46fcc81ae53a9aa35f49f4c24f4ed5a20c0001000000000004000100001246bc',
      'ab8573f8c01abab3f1b37d7e4169ee82c7275fa8872d718578b49ea86c5023f9519ca7556dd6acd1',
      '7e9ca57e332f0d4ecc246b531fc0f09ad933ff63f2c6b7146c7bce9d0774857b93564e96595533b3',
      '0dbfe15feaed6223c8968a094d63',
    ].join(''),
    extra: { summary: 1 },
    fields: { Param1: 0xf0, RspSessionID: 0xffff, MutAuthRequested: 0, OpaqueDataLength: 12 },
  },
  {
    name: 'FINISH',
    hex: [
      '12e50000fb22f3c9c0d688073f8faef48bc44a73c03e2fc38129972f26639e196dde143e322b4f02',
      '212810140a5de8a11b184198',
    ].join(''),
    extra: {},
    fields: { Param1: 0 },
  },
  {
    name: 'FINISH_RSP',
    hex: [
      '1265000016dd9328188854af921166bfb6d03ef7348bce1d0261f8dbb26927e615e3aed5d4eab303',
      'e80dcfe87fd12de9820227bc',
    ].join(''),
    extra: {},
    fields: { Param1: 0 },
  },
  {
    name: 'ALGORITHMS',
    hex: [
      '13630400340001120800000080000000020000000000000000000000000000010000000002201000',
      '032002000420080005200100',
    ].join(''),
    extra: {},
    fields: { OtherParamsSelection: 18, MELspecificationSel: 1 },
  },
  {
    name: 'DIGESTS',
    hex: [
      '13011313dc024e78fa5e45d82e45c67fb5fce2b9987adfee9ea33e56d5ed8347e8aaa3d01891727f',
      '3c5dd7a2e1ab7fd36138375d0d0d5cf1c3ba902cd59c95f25e29150fa378708ea1cd9782da82ffc3',
      'eac48e1348220e89ab97f8bb928a824e9ef5951fb2c7faf69c86392a866a0acd14b567ae55272023',
      '3073bf471ff9c63728c9b8ac67ef7a2b0a05cf124abb51b97a91fc4a05050e0101010f000f000f00',
    ].join(''),
    extra: { multiKey: 1 },
    fields: { Param1: 19, Param2: 19, 'Digest.length': 3, 'KeyPairID.0': 5, 'KeyUsageMask.2': 15 },
  },
  {
    name: 'CHALLENGE',
    hex: [
      '138300ffbd966188b8a0fda259ccfa96f3fe57266d2fdf20167d80ceb8d4ff0ad6b87c2011223344',
      '55667788',
    ].join(''),
    extra: {},
    fields: { RequesterContext: '1122334455667788' },
  },
  {
    name: 'CHALLENGE_AUTH',
    hex: [
      '13030013dc024e78fa5e45d82e45c67fb5fce2b9987adfee9ea33e56d5ed8347e8aaa3d01891727f',
      '3c5dd7a2e1ab7fd36138375d73f09f2cce5a0e8c25a10c11d7789741c52cce70aed28d73c47ff64d',
      '4f7ebf32fdabe16b17dedf3e762a76f1c5d9ee015e9f50b75bd75ea18db5d398b880258b46fcc81a',
      'e53a9aa35f49f4c24f4ed5a200001122334455667788b6a122b0983daaf4d0e71c4675aeb9a6a090',
      '79738bfd0ac5e5b48041bff0dc8add31afb930b40f27bf853e5cabe5cd8be70b9972bef380352340',
      '20b319636bbd87b95e1b73477322bbef28c7e03c8497bb7cb65053482cf2af80754b9f575621',
    ].join(''),
    extra: { summary: 1 },
    fields: { RequesterContext: '1122334455667788', OpaqueDataLength: 0 },
  },
  {
    name: 'GET_MEASUREMENTS',
    hex: [
      '13e001ffe290b5a84d0e6772169a2f84ca3fe2c5b2e438d81be795c7247ccc5e7c4bf04900aabbcc',
      'ddeeff00ff',
    ].join(''),
    extra: {},
    fields: { SlotIDParam: 0, RequesterContext: 'aabbccddeeff00ff' },
  },
  {
    name: 'MEASUREMENTS',
    hex: [
      '1360002008100200010143000040008d531d77d821e167114d1eb07e0ae19cfb565152408843c768',
      'f1135b548fdfa13a203e5c7f129ceacc017df26c999f62da26dbf2e1128345ec0f65d37f87ca4102',
      '0143000140009effd8a668f76d3fce35451a136f8ef6710260e9ca28beef897f559fcdba48a4c066',
      '560fb4900195cae4d4fab1f7d11243421008af8614d92a3fcabbbf75248f03014300024000ffde42',
      '483a687dd47d05f956a2d62007b71a2988084da1095ec2e43bca156680cae07d0b84cbc7fc9b1d4e',
      '80cd8669aa956aed8bb17b0a20a5031c288dfa8b9f040143000340003a0bd5b08436b1d386122090',
      'cfa0446cf2571b74f2a15f44df735695dab84bbb1bebb3aef39af6a0f97279b5fb04d513a52dd165',
      '47fe88d0455815520c861ed410010b00870800070000000000000011014300084000c4f9625b48d4',
      'e0e192c463a2d00b43305d7d588d7d9c846c1d3f9ed1198883729a55b9178a4f7101dfa1c8323439',
      '1b2ee98027e8a435d0283e29784ecda6406efd018300848000fdfdfdfdfdfdfdfdfdfdfdfdfdfdfd',
      'fdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfd',
      'fdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfd',
      'fdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfe011300851000',
      '3f000000040000001f000000110000008f34d90346fc56565c9eb993e01d6d443a5c0606d1d65529',
      '62bbbf53f075401f0000aabbccddeeff00ffc990d9912e0edb83a9c9c8ac0b3268edbb1601ce7785',
      '56e23b3194e68dc7f364a15d50a7d9574d9febec2cb3ce641269f6018d3467ca41bc31f86aa9fad6',
      '3360c22fe28851027aba52522b9e4e83ed2ec4f0a8142a4bb8e3dbc8dd0b37d2e424',
    ].join(''),
    extra: { signed: 1 },
    fields: { RequesterContext: 'aabbccddeeff00ff', OpaqueDataLength: 0 },
  },
];
