/**
 * Rule on globals: engines, kernel and devices see no clock, no chance, no waiting and no process, so
 * that a run depends on its seed alone and bundles for a browser. Names are resolved by the compiler:
 * a parameter called `crypto` is no global.
 */

import ts from 'typescript';
import { nodes, place, type Rule, type Source } from './tree.ts';

const pure = /^(protocols|devices|sim\/(kernel|scenario|faults|checkers))\//;
/** The node crypto provider meets node's own types. */
const isNodeProvider = /^protocols\/crypto\/node(-[a-z]+)?\.ts$/;
const exempt = (path: string, name: string): boolean =>
  isNodeProvider.test(path) && name === 'Buffer';
const banned = new Set([
  ...['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
  ...['clearTimeout', 'clearInterval', 'clearImmediate', 'Promise', 'console', 'process'],
  ...['Buffer', 'crypto', 'globalThis', 'global', 'window', 'self', 'require', 'fetch'],
]);

/** A checker over these files alone, without libraries: what it cannot resolve is a global. */
function checkerOf(files: readonly Source[]): ts.TypeChecker {
  const trees = new Map(files.map(({ path, tree }) => [path, tree]));
  const host: ts.CompilerHost = {
    getSourceFile: (name) => trees.get(name),
    getDefaultLibFileName: () => 'none',
    writeFile: () => undefined,
    getCurrentDirectory: () => '',
    getCanonicalFileName: (name) => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
    fileExists: (name) => trees.has(name),
    readFile: () => undefined,
  };
  const options: ts.CompilerOptions = { noLib: true, noResolve: true, types: [] };
  return ts.createProgram([...trees.keys()], options, host).getTypeChecker();
}

/** True where an identifier only names a member: `x.process`, `{ process: y } = x`. */
function namesMember(id: ts.Identifier): boolean {
  const { parent } = id;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === id;
  if (ts.isQualifiedName(parent)) return parent.right === id;
  if (ts.isBindingElement(parent)) return parent.propertyName === id;
  if (ts.isImportSpecifier(parent)) return true;
  if (ts.isExportSpecifier(parent)) return parent.propertyName !== undefined && parent.name === id;
  return ts.isNamedTupleMember(parent);
}

function isGlobal(id: ts.Identifier, checker: ts.TypeChecker): boolean {
  if (namesMember(id)) return false;
  const symbol = ts.isShorthandPropertyAssignment(id.parent)
    ? checker.getShorthandAssignmentValueSymbol(id.parent)
    : checker.getSymbolAtLocation(id);
  return !symbol?.declarations?.length;
}

function isRandom(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node))
    return node.expression.getText() === 'Math' && node.name.text === 'random';
  if (ts.isElementAccessExpression(node))
    return node.expression.getText() === 'Math' && /random/.test(node.argumentExpression.getText());
  if (ts.isVariableDeclaration(node) && ts.isObjectBindingPattern(node.name))
    return node.initializer?.getText() === 'Math' && /\brandom\b/.test(node.name.getText());
  return false;
}

function offence(node: ts.Node, checker: ts.TypeChecker): string | undefined {
  if (isRandom(node)) return 'Math.random';
  if (node.kind === ts.SyntaxKind.AsyncKeyword) return 'async';
  if (ts.isAwaitExpression(node)) return 'await';
  if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) return 'for await';
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    return 'import()';
  if (ts.isIdentifier(node) && banned.has(node.text) && isGlobal(node, checker)) return node.text;
  return undefined;
}

export const bannedGlobals: Rule = (files) => {
  const checked = files.filter(({ path }) => pure.test(path));
  const checker = checkerOf(checked);
  const broken: string[] = [];
  for (const file of checked)
    for (const node of nodes(file.tree)) {
      const name = offence(node, checker);
      if (name !== undefined && !exempt(file.path, name))
        broken.push(`${place(file, node)} uses ${name}`);
    }
  return broken;
};
