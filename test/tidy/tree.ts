/** The repository as the tidy rules see it: paths with text and syntax tree, from disk or made up. */

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import ts from 'typescript';

/** Folders that hold source code; `test` holds tests. */
export const sourceFolders = ['protocols', 'devices', 'sim', 'bench'] as const;

/** One text file; `path` is relative to the repository, with forward slashes. */
export interface TextFile {
  readonly path: string;
  readonly text: string;
}
export interface Source extends TextFile {
  readonly tree: ts.SourceFile;
}

/** What breaks a rule, as `path:line what`. */
export type Rule<F extends TextFile = Source> = (files: readonly F[]) => string[];

export function source(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true);
  return { path, text, tree };
}

/** Every node below `node`, itself included, in source order. */
export function* nodes(node: ts.Node): Generator<ts.Node> {
  yield node;
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => {
    children.push(child);
  });
  for (const child of children) yield* nodes(child);
}

/** `path:line` of a node, lines counted from 1. */
export function place(file: Source, node: ts.Node): string {
  const { line } = file.tree.getLineAndCharacterOfPosition(node.getStart(file.tree));
  return `${file.path}:${line + 1}`;
}

export const isTest = (file: TextFile) => file.path.endsWith('.test.ts');
export const isSource = (file: TextFile) =>
  sourceFolders.some((folder) => file.path.startsWith(`${folder}/`));

const NOT_OURS = new Set(['.git', 'node_modules', 'dist', 'coverage', 'out']);
const LOG = /\.log$/;

/** All text files of the repository, without what .gitignore leaves out. */
export function readTexts(root: string): TextFile[] {
  const found: TextFile[] = [];
  const walk = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (NOT_OURS.has(entry.name) || LOG.test(entry.name)) continue;
      const full = join(folder, entry.name);
      if (entry.isDirectory()) walk(full);
      else if (entry.isFile()) {
        const bytes = readFileSync(full);
        if (bytes.includes(0)) continue;
        found.push({ path: relative(root, full).split(sep).join('/'), text: bytes.toString() });
      }
    }
  };
  walk(root);
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The TypeScript among `files`, parsed; vectors are data and left out. */
export function parseSources(files: readonly TextFile[]): Source[] {
  return files
    .filter(({ path }) => path.endsWith('.ts') && !path.startsWith('test/vectors/'))
    .filter((file) => isSource(file) || file.path.startsWith('test/'))
    .map(({ path, text }) => source(path, text));
}
