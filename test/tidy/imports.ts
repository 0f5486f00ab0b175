/** Rules on who may import what: the house's import table, node modules, one-off packages, cycles. */

import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import ts from 'typescript';
import { isSource, nodes, place, type Rule, type Source } from './tree.ts';

interface Import {
  readonly from: string;
  readonly at: string;
}

function specifier(node: ts.Node): ts.Expression | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isExternalModuleReference(node)) return node.expression;
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
    return node.argument.literal as ts.Expression;
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return node.arguments[0];
  return undefined;
}

/** Every import of a file: static, re-export, dynamic and in types. */
function importsOf(file: Source): Import[] {
  const found: Import[] = [];
  for (const node of nodes(file.tree)) {
    const from = specifier(node);
    if (from === undefined) continue;
    found.push({ from: ts.isStringLiteralLike(from) ? from.text : '?', at: place(file, node) });
  }
  return found;
}

/** The house's rooms: `devices`, `protocols`, `sim/kernel`, `bench` ... */
function room(path: string): string {
  const [top, second] = path.split('/');
  return top === 'sim' ? `sim/${second}` : top!;
}

const ground = ['protocols', 'sim/kernel'];
const machines = [...ground, 'devices'];
const uses = ['sim/scenario', 'sim/faults', 'sim/checkers', 'sim/campaign'];
const outside = ['sim/sinks', 'sim/report', 'sim/socket', 'sim/cli'];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  protocols: ['protocols'],
  'sim/kernel': ['sim/kernel'],
  devices: machines,
  ...Object.fromEntries(uses.map((name) => [name, [...machines, ...uses]])),
  ...Object.fromEntries(outside.map((name) => [name, [...machines, ...uses, ...outside]])),
  bench: [...machines, ...uses, 'sim/sinks', 'sim/socket', 'bench'],
  // The verb `bench` runs what `bench/` holds.
  'sim/cli': [...machines, ...uses, ...outside, 'bench'],
};

/** The path a relative import means; undefined for a package. */
function target(file: Source, from: string): string | undefined {
  if (!from.startsWith('.')) return undefined;
  return posix.join(posix.dirname(file.path), from);
}

export const importTable: Rule = (files) => {
  const broken: string[] = [];
  for (const file of files.filter(isSource)) {
    const allowed = mayImport[room(file.path)];
    if (allowed === undefined) {
      broken.push(`${file.path}:1 ${room(file.path)} is no folder of the import table`);
      continue;
    }
    for (const { from, at } of importsOf(file)) {
      const path = target(file, from);
      const own = path !== undefined || from === '?' || /^(\/|#|tdisp-sim(\/|$))/.test(from);
      if (own && (path === undefined || !allowed.includes(room(path))))
        broken.push(`${at} ${room(file.path)} may not import ${path ?? from}`);
    }
  }
  return broken;
};

const mayUseNode =
  /^(protocols\/crypto\/node(-[a-z]+)?\.ts$|sim\/(sinks|socket|cli|campaign)\/|bench\/|test\/)/;

/** `node:` modules, by either spelling, only where the outside world is met. */
export const nodeModules: Rule = (files) =>
  files
    .filter((file) => !mayUseNode.test(file.path))
    .flatMap((file) => importsOf(file))
    .filter(({ from }) => from.startsWith('node:') || builtinModules.includes(from))
    .map(({ from, at }) => `${at} may not import ${from}`);

/** `@peculiar/x509` throws unless `reflect-metadata` came first: one source file sees to that. */
export const reflectMetadata: Rule = (files) => {
  const all = files.filter(isSource).flatMap((file) => importsOf(file));
  const places = all.filter(({ from }) => from === 'reflect-metadata').map(({ at }) => at);
  const needs = all.filter(({ from }) => from === '@peculiar/x509').map(({ at }) => at);
  if (places.length > 1) return places.map((at) => `${at} one of ${places.length} imports`);
  if (places.length === 0)
    return needs.map((at) => `${at} needs reflect-metadata, none imports it`);
  return [];
};

/** A folder for the cycle rule: two levels deep, `protocols/spdm`, `devices/host`. */
function folder(path: string): string {
  return posix.dirname(path).split('/').slice(0, 2).join('/');
}

/** Folders that import each other, types included: one offence per pair of edges that closes a ring. */
export const folderCycles: Rule = (files) => {
  const edges = new Map<string, Map<string, string>>();
  for (const file of files.filter(isSource)) {
    const from = folder(file.path);
    for (const one of importsOf(file)) {
      const path = target(file, one.from);
      if (path === undefined || folder(path) === from) continue;
      const out = edges.get(from) ?? new Map<string, string>();
      edges.set(from, out.set(folder(path), out.get(folder(path)) ?? one.at));
    }
  }
  const reaches = (from: string, to: string): boolean => {
    const seen = new Set<string>();
    const open = [from];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === to) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(edges.get(next)?.keys() ?? []));
    }
    return false;
  };
  const broken: string[] = [];
  for (const [from, out] of edges)
    for (const [to, at] of out)
      if (reaches(to, from)) broken.push(`${at} ${from} imports ${to}, which leads back to it`);
  return broken;
};
