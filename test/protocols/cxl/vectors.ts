/**
 * CXL_IDE_KM and CXL_TSP payloads (what follows the protocol id) of DMTF reference emulator traffic:
 * every distinct message of one P-256 run, by its number in the capture.
 */

import { concat, fromHex } from '../../../protocols/codec/bytes.ts';
import { CxlProtocolIds } from '../../../protocols/cxl/cxl.ts';

const { CXL_IDE_KM, CXL_TSP } = CxlProtocolIds;

/** n zero bytes */
export const z = (n: number) => new Uint8Array(n);
export const hex = (...parts: readonly (string | Uint8Array)[]) =>
  concat(...parts.map((part) => (typeof part === 'string' ? fromHex(part) : part)));

export type Vector = readonly [number: number, protocolId: number, name: string, bytes: Uint8Array];

export const captured: readonly Vector[] = [
  [93, 0, 'QUERY', hex('000000')],
  [94, 0, 'QUERY_RESP', hex('0100000000000771', z(36))],
  [95, 0, 'GET_KEY', hex('07000000008000')],
  [
    96,
    0,
    'GET_KEY_ACK',
    hex(
      '08000000008000ba87566a54b261753ef07f70a891a3cd9c7225b196cc9a733b112ab27885c15a000000000100000002000000',
    ),
  ],
  [
    97,
    0,
    'KEY_PROG',
    hex(
      '02000000008800ba87566a54b261753ef07f70a891a3cd9c7225b196cc9a733b112ab27885c15a000000000100000002000000',
    ),
  ],
  [98, 0, 'KP_ACK', hex('03000000008800')],
  [
    99,
    0,
    'KEY_PROG',
    hex(
      '0200000000820035885fc1a8c76ef114ec67650732d6cc63aac65fd225fdc4253a3684dfb76219000000800000000001000000',
    ),
  ],
  [100, 0, 'KP_ACK', hex('03000000008200')],
  [101, 0, 'K_SET_GO', hex('04000000008000')],
  [102, 0, 'K_SET_GOSTOP_ACK', hex('06000000008000')],
  [103, 0, 'K_SET_GO', hex('04000000008200')],
  [104, 0, 'K_SET_GOSTOP_ACK', hex('06000000008200')],
  [105, 1, 'GET_TARGET_TSP_VERSION', hex('10810000')],
  [106, 1, 'GET_TARGET_TSP_VERSION_RSP', hex('100100000110')],
  [107, 1, 'GET_TARGET_CAPABILITIES', hex('10820000')],
  [
    108,
    1,
    'GET_TARGET_CAPABILITIES_RSP',
    hex('100201000200000000000000160000000000000001000000030000000000000001', z(19)),
  ],
  [
    109,
    1,
    'SET_TARGET_CONFIGURATION',
    hex(
      '10830100020000000000000016',
      z(11),
      '01',
      z(47),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(23),
      '01',
      z(31),
      'aaab5b355cdc36be7f01540b17beb59cb767b3c0fd8f37fca7eb1482b45550dc',
      z(96),
    ),
  ],
  [110, 1, 'SET_TARGET_CONFIGURATION_RSP', hex('10030000')],
  [111, 1, 'GET_TARGET_CONFIGURATION', hex('10840000')],
  [
    112,
    1,
    'GET_TARGET_CONFIGURATION_RSP',
    hex(
      '10040100020000000000000016',
      z(11),
      '01',
      z(47),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(23),
    ),
  ],
  [113, 1, 'GET_TARGET_CONFIGURATION_REPORT', hex('1085000000000002')],
  [114, 1, 'GET_TARGET_CONFIGURATION_REPORT_RSP', hex('10050000dc00000001', z(219))],
  [115, 1, 'LOCK_TARGET_CONFIGURATION', hex('10860000')],
  [116, 1, 'LOCK_TARGET_CONFIGURATION_RSP', hex('10060000')],
  [
    118,
    1,
    'GET_TARGET_CONFIGURATION_RSP',
    hex(
      '10040100020000000000000016',
      z(11),
      '01',
      z(11),
      '01',
      z(35),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(15),
      'ff',
      z(23),
    ),
  ],
  [119, 1, 'SET_TARGET_TE_STATE', hex('108d0101', z(14), '1000000000000000010000000000')],
  [120, 1, 'SET_TARGET_TE_STATE_RSP', hex('100d0000')],
  [121, 1, 'SET_TARGET_TE_STATE', hex('108d0001', z(14), '1000000000000000010000000000')],
  [143, 0, 'K_SET_STOP', hex('05000000008000')],
  [145, 0, 'K_SET_STOP', hex('05000000008200')],
  [
    224,
    0,
    'GET_KEY_ACK',
    hex(
      '08000000008000b455e56314b04bf803846c9b00bde40c9fb7e4d8afd316397b37597d52f68180000000000100000002000000',
    ),
  ],
  [
    225,
    0,
    'KEY_PROG',
    hex(
      '02000000008800b455e56314b04bf803846c9b00bde40c9fb7e4d8afd316397b37597d52f68180000000000100000002000000',
    ),
  ],
  [
    227,
    0,
    'KEY_PROG',
    hex(
      '020000000082006b46c957e7f23840f205b34b4cccad961df2ff2f11af2cd3f5b3677b809e5fff000000800000000001000000',
    ),
  ],
];

export const KEY = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f';
export const TWEAK = '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f';

/** Messages the capture has none of, built by hand; the number is 0. */
export const built: readonly Vector[] = [
  [0, CXL_IDE_KM, 'QUERY_RESP', hex('01 00 02 18 3a 01 02 31')],
  [0, CXL_IDE_KM, 'K_SET_GO', hex('04 00 00 05 00 8a 01')],
  [0, CXL_TSP, 'GET_TARGET_TSP_VERSION_RSP', hex('10 01 00 00 03 10 11 20')],
  [0, CXL_TSP, 'GET_TARGET_CONFIGURATION_REPORT_RSP', hex('10 05 0000 0300 4000 a1b2c3')],
  [0, CXL_TSP, 'SET_TARGET_CKID_SPECIFIC_KEY', hex('10870000 67452301 02', z(6), '03', KEY, TWEAK)],
  [0, CXL_TSP, 'SET_TARGET_CKID_RANDOM_KEY', hex('10880000 67452301 01', z(6), '02', KEY, TWEAK)],
  [0, CXL_TSP, 'CLEAR_TARGET_CKID_KEY', hex('10890000 67452301')],
  [
    0,
    CXL_TSP,
    'SET_TARGET_RANGE_SPECIFIC_KEY',
    hex('108a0000 02000000 0000100000000080 ffff1f0000000080', z(7), '01', KEY, TWEAK),
  ],
  [
    0,
    CXL_TSP,
    'SET_TARGET_RANGE_RANDOM_KEY',
    hex('108b0000 02000000 0000100000000000 ffff1f0000000000', z(7), '03', KEY, TWEAK),
  ],
  [0, CXL_TSP, 'CLEAR_TARGET_RANGE_KEY', hex('108c0000 02000000')],
  [0, CXL_TSP, 'CHECK_TARGET_DELAYED_COMPLETION', hex('108e0000')],
  [0, CXL_TSP, 'SET_TARGET_CKID_SPECIFIC_KEY_RSP', hex('10070000')],
  [0, CXL_TSP, 'SET_TARGET_CKID_RANDOM_KEY_RSP', hex('10080000')],
  [0, CXL_TSP, 'CLEAR_TARGET_CKID_KEY_RSP', hex('10090000')],
  [0, CXL_TSP, 'SET_TARGET_RANGE_SPECIFIC_KEY_RSP', hex('100a0000')],
  [0, CXL_TSP, 'SET_TARGET_RANGE_RANDOM_KEY_RSP', hex('100b0000')],
  [0, CXL_TSP, 'CLEAR_TARGET_RANGE_KEY_RSP', hex('100c0000')],
  [0, CXL_TSP, 'CHECK_TARGET_DELAYED_COMPLETION_RSP', hex('100e0000')],
  [0, CXL_TSP, 'DELAYED_RSP', hex('107e0000 e8030000')],
  [0, CXL_TSP, 'ERROR_RSP', hex('107f0000 05000000 11000000')],
  [0, CXL_TSP, 'ERROR_RSP', hex('107f0000 06000000 00000080 cafe')],
];
export const all = [...captured, ...built];

/** The last message of that name. */
export const last = (name: string, from: readonly Vector[] = all) =>
  from.filter((vector) => vector[2] === name).at(-1)![3];
