/** The SPDM option table at work: added to a verb, parsed to plain data, every complaint naming what is legal. */

import { type Command, Option } from 'commander';
import type { Capabilities, SpdmChoices } from '../socket/engines.ts';
import { UsageError } from './io.ts';
import {
  type OptionRow,
  type OptionVerb,
  refusedOptions,
  spdmOptions,
  type ValueKind,
} from './spdm-options-table.ts';

/** Rows of a verb. */
export const optionsOf = (verb: OptionVerb): readonly OptionRow[] =>
  spdmOptions.filter(({ on }) => on === 'both' || on === verb);

/** Names a row's values may have, for `verb`. */
export function legalValues({ value }: OptionRow, verb: OptionVerb): readonly string[] {
  if (value.kind === 'number') return [`${value.min}..${value.max}`];
  return Object.keys(value.kind === 'capabilities' ? value.values[verb] : value.values);
}

function complain(row: OptionRow, verb: OptionVerb, given: string): never {
  const several =
    row.value.kind === 'one' || row.value.kind === 'number' ? '' : ' (comma-separated)';
  const legal = legalValues(row, verb).join(', ');
  throw new UsageError(`--${row.name}: '${given}' is none of its values: ${legal}${several}`);
}

/** What `name` stands for. @throws UsageError naming the option and its legal values */
function lookUp<T>(
  row: OptionRow,
  verb: OptionVerb,
  values: Readonly<Record<string, T>>,
  name: string,
  refused: Readonly<Record<string, string>> = {},
): T {
  if (Object.hasOwn(refused, name)) throw new UsageError(`--${row.name} ${name}: ${refused[name]}`);
  if (!Object.hasOwn(values, name)) complain(row, verb, name);
  return values[name]!;
}

function capabilitiesOf(
  row: OptionRow,
  verb: OptionVerb,
  values: Extract<ValueKind, { kind: 'capabilities' }>['values'][OptionVerb],
  names: readonly string[],
): Capabilities {
  const chosen: Record<string, number> = {};
  const by: Record<string, string> = {};
  for (const name of names) {
    const [field, value] = lookUp(row, verb, values, name);
    if (chosen[field] !== undefined && chosen[field] !== value)
      throw new UsageError(
        `--${row.name}: ${by[field]} and ${name} exclude each other; choose one`,
      );
    chosen[field] = value;
    by[field] = name;
  }
  return chosen;
}

function numberOf(
  row: OptionRow,
  verb: OptionVerb,
  min: number,
  max: number,
  text: string,
): number {
  const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : complain(row, verb, text);
}

const ascending = (a: number | string, b: number | string): number =>
  typeof a === 'number' && typeof b === 'number' ? a - b : 0;

/** The value of one option. @throws UsageError naming the option and its legal values */
export function parseValue(row: OptionRow, verb: OptionVerb, text: string): unknown {
  const { value } = row;
  if (value.kind === 'number') return numberOf(row, verb, value.min, value.max, text);
  if (value.kind === 'one') return lookUp(row, verb, value.values, text, value.refused);
  const names = text.split(',');
  if (value.kind === 'capabilities') {
    // An empty list is a party that can nothing: worth trying on a peer.
    const given = text === '' ? [] : names;
    return capabilitiesOf(row, verb, value.values[verb], given);
  }
  if (value.kind === 'list') {
    const found = names.map((name) => lookUp(row, verb, value.values, name));
    return [...new Set(found)].sort(ascending);
  }
  let mask = 0;
  for (const name of names)
    mask = (mask | lookUp(row, verb, value.values, name, value.refused)) >>> 0;
  return mask;
}

const dashed = (name: string): string => name.replaceAll('_', '-');
/** Where commander puts the value of an option. */
const slot = (name: string): string => new Option(`--${name} <X>`).attributeName();

function placeholder(row: OptionRow): string {
  if (row.value.kind === 'number') return 'N';
  return row.value.kind === 'one' ? 'NAME' : 'NAME,...';
}

function helpOf(row: OptionRow, verb: OptionVerb): string {
  return `${row.help}: ${legalValues(row, verb).join(', ')}`;
}

/**
 * Adds the table's options to a verb; underscores as the emulators have them, dashes as well. What only
 * concerns the other role is checked and left at that, as the emulators do: one command line serves both.
 */
export function addSpdmOptions(command: Command, verb: OptionVerb): Command {
  for (const row of optionsOf(verb)) {
    const parse = (text: string) => parseValue(row, verb, text);
    const flags = (name: string) => `--${name} <${placeholder(row)}>`;
    command.addOption(new Option(flags(row.name), helpOf(row, verb)).argParser(parse));
    if (dashed(row.name) !== row.name)
      command.addOption(new Option(flags(dashed(row.name))).argParser(parse).hideHelp());
  }
  for (const row of spdmOptions.filter(({ on }) => on !== 'both' && on !== verb)) {
    const other = verb === 'serve' ? 'attach' : 'serve';
    for (const name of new Set([row.name, dashed(row.name)])) {
      const check = (text: string) => parseValue(row, other, text);
      command.addOption(new Option(`--${name} <X>`).argParser(check).hideHelp());
    }
  }
  for (const [name, why] of Object.entries(refusedOptions)) {
    const refuse = () => {
      throw new UsageError(`--${name}: ${why}`);
    };
    for (const each of new Set([name, dashed(name)]))
      command.addOption(new Option(`--${each} <X>`).argParser(refuse).hideHelp());
  }
  return command;
}

/**
 * The choices among what commander parsed.
 * @throws UsageError if an option came under both of its spellings
 */
export function choicesOf(
  options: Readonly<Record<string, unknown>>,
  verb: OptionVerb,
): SpdmChoices {
  const chosen: Record<string, unknown> = {};
  for (const row of optionsOf(verb)) {
    const given = [...new Set([row.name, dashed(row.name)])]
      .map((name) => options[slot(name)])
      .filter((value) => value !== undefined);
    if (given.length > 1) throw new UsageError(`--${row.name}: given twice; leave one out`);
    if (given.length === 1) chosen[row.key] = given[0];
  }
  return chosen;
}
