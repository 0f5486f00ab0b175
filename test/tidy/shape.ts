/** Rules on the shape of files: length, doc comment, marks of unfinished work, paths, suites that run. */

import ts from 'typescript';
import { isSource, isTest, nodes, place, type Rule, type Source, type TextFile } from './tree.ts';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;

export const fileLength: Rule = (files) =>
  files
    .map(({ path, text }) => ({ path, lines: text.replace(/\n$/, '').split('\n').length }))
    .filter(({ lines }) => lines > FILE_LINES_MAX)
    .map(({ path, lines }) => `${path}:${lines} has ${lines} lines, at most ${FILE_LINES_MAX}`);

function lineAt(file: Source, position: number): number {
  return file.tree.getLineAndCharacterOfPosition(position).line;
}

export const functionLength: Rule = (files) => {
  const broken: string[] = [];
  for (const file of files)
    for (const node of nodes(file.tree)) {
      if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) continue;
      const start = node.getStart(file.tree);
      const lines = lineAt(file, node.getEnd()) - lineAt(file, start) + 1;
      if (lines <= FUNCTION_LINES_MAX) continue;
      const name = node.name?.getText(file.tree) ?? 'function';
      broken.push(`${place(file, node)} ${name} has ${lines} lines, at most ${FUNCTION_LINES_MAX}`);
    }
  return broken;
};

export const docComment: Rule = (files) =>
  files
    .filter(isSource)
    .filter(({ text }) => !text.replace(/^#!.*\n/, '').startsWith('/**'))
    .map(({ path }) => `${path}:1 does not start with a doc comment`);

/** Lines of a text that match, as `path:line match`. */
function matches({ path, text }: TextFile, pattern: RegExp): string[] {
  return text.split('\n').flatMap((line, i) => {
    const found = pattern.exec(line);
    return found === null ? [] : [`${path}:${i + 1} ${found[0].trim()}`];
  });
}

// In pieces, so that this file passes its own rules.
const MARKS = new RegExp(
  `\\b(${['TO', 'FIX', 'XX'].map((s, i) => s + ['DO', 'ME', 'X'][i]).join('|')})\\b`,
);
const PLACES = new RegExp(
  `(?<![\\w./:-])/(${['work', 'home', 'tmp', 'root', 'Users'].join('|')})(/|\\b(?![-.]))`,
);

export const unfinished: Rule = (files) => files.flatMap((file) => matches(file, MARKS));

export const absolutePaths: Rule<TextFile> = (files) =>
  files.flatMap((file) => matches(file, PLACES));

/** Names that stand for a uvu suite in a test file, with how often each is made. */
function suitesOf(file: Source): Map<string, number> {
  const made = new Map<string, number>();
  const makers = new Set<string>();
  for (const node of nodes(file.tree)) {
    if (
      ts.isImportDeclaration(node) &&
      node.moduleSpecifier.getText(file.tree).slice(1, -1) === 'uvu'
    ) {
      const bindings = node.importClause?.namedBindings;
      if (bindings === undefined || !ts.isNamedImports(bindings)) continue;
      for (const { name, propertyName } of bindings.elements) {
        if ((propertyName ?? name).text === 'suite') makers.add(name.text);
        if ((propertyName ?? name).text === 'test') made.set(name.text, 1);
      }
    }
    if (!ts.isVariableDeclaration(node) || node.initializer === undefined) continue;
    if (!ts.isCallExpression(node.initializer)) continue;
    if (!makers.has(node.initializer.expression.getText(file.tree))) continue;
    const name = node.name.getText(file.tree);
    made.set(name, (made.get(name) ?? 0) + 1);
  }
  return made;
}

/** uvu counts a suite nobody runs as nothing at all, and `only` hides its neighbours. */
export const suitesRun: Rule = (files) => {
  const broken: string[] = [];
  for (const file of files.filter(isTest)) {
    const made = suitesOf(file);
    const run = new Map<string, number>();
    for (const node of nodes(file.tree)) {
      if (!ts.isPropertyAccessExpression(node)) continue;
      const owner = node.expression.getText(file.tree);
      if (!made.has(owner)) continue;
      if (node.name.text === 'only') broken.push(`${place(file, node)} ${owner}.only`);
      if (node.name.text === 'run' && ts.isCallExpression(node.parent))
        run.set(owner, (run.get(owner) ?? 0) + 1);
    }
    if (made.size === 0) broken.push(`${file.path}:1 holds no suite`);
    for (const [name, count] of made)
      if ((run.get(name) ?? 0) < count) broken.push(`${file.path}:1 ${name}.run() is missing`);
  }
  return broken;
};
