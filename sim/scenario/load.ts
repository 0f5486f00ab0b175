/**
 * YAML text to a checked value. What is wrong is said with file, line and path, and what is allowed
 * there: `lab.yaml:12: platform.link.width: expected 1, 2, 4, 8 or 16, got 3`.
 */

import {
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import type { z } from 'zod';

export interface InputProblem {
  readonly file: string;
  /** 1-based; 0 when no line can be told */
  readonly line: number;
  readonly path: string;
  readonly message: string;
}

export type Loaded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly InputProblem[] };

export function problemText(problem: InputProblem): string {
  const where = problem.line > 0 ? `${problem.file}:${problem.line}` : problem.file;
  return problem.path === ''
    ? `${where}: ${problem.message}`
    : `${where}: ${problem.path}: ${problem.message}`;
}

type Path = readonly PropertyKey[];

const pathText = (path: Path): string =>
  path.reduce<string>(
    (text, key) =>
      typeof key === 'number'
        ? `${text}[${key}]`
        : text === ''
          ? String(key)
          : `${text}.${String(key)}`,
    '',
  );

/** The innermost node that exists along `path`; for a map entry, its key. */
function nodeAt(root: Node | null, path: Path): Node | null {
  let node = root;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && item.key.value === key,
      );
      if (pair === undefined) return node;
      const next = pair.value;
      node = isNode(next) && (isCollection(next) || isScalar(next)) ? next : (pair.key as Node);
    } else if (isCollection(node)) {
      const item = node.items[Number(key)];
      if (!isNode(item)) return node;
      node = item;
    } else return node;
  }
  return node;
}

/** Line of a key inside a map, for "unknown key" problems. */
function keyNode(root: Node | null, path: Path, key: string): Node | null {
  const map = nodeAt(root, path);
  if (!isMap(map)) return map;
  const pair = map.items.find((item) => isScalar(item.key) && item.key.value === key);
  return pair === undefined ? map : (pair.key as Node);
}

interface Issue {
  readonly code: string;
  readonly path: Path;
  readonly message: string;
  readonly keys?: readonly string[];
  readonly errors?: readonly (readonly Issue[])[];
}

/** A union's problem is that of the branch that came furthest. */
function unfolded(issue: Issue): Issue[] {
  const branches = issue.errors?.filter((branch) => branch.length > 0) ?? [];
  if (issue.code !== 'invalid_union' || branches.length === 0) return [issue];
  const depth = (branch: readonly Issue[]) =>
    Math.max(...branch.map((inner) => inner.path.length + (inner.code === 'custom' ? 1 : 0)));
  const best = branches.reduce((a, b) => (depth(b) > depth(a) ? b : a));
  return best.flatMap((inner) => unfolded({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** Reads YAML `text` by `schema`; `file` is the name problems are reported under. */
export function load<S extends z.ZodType>(
  text: string,
  file: string,
  schema: S,
): Loaded<z.infer<S>> {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const lineOf = (offset: number | undefined) =>
    offset === undefined ? 0 : counter.linePos(offset).line;
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      file,
      line: lineOf(error.pos[0]),
      path: '',
      message: `not YAML: ${error.message}`,
    }));
    return { ok: false, problems };
  }
  let plain: unknown;
  try {
    plain = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    const message = `not YAML: ${(error as Error).message}`;
    return { ok: false, problems: [{ file, line: 0, path: '', message }] };
  }
  if (plain === null || typeof plain !== 'object' || Array.isArray(plain)) {
    const message = `expected a mapping of keys to values: ${keysAt(schema, [])?.join(', ')}`;
    return { ok: false, problems: [{ file, line: 1, path: '', message }] };
  }
  const parsed = schema.safeParse(plain);
  if (parsed.success) return { ok: true, value: parsed.data };
  const root = document.contents as Node | null;
  const problems = (parsed.error.issues as unknown as Issue[]).flatMap(unfolded).map((issue) => {
    const key = issue.keys?.[0];
    const node = key === undefined ? nodeAt(root, issue.path) : keyNode(root, issue.path, key);
    const path = pathText(key === undefined ? issue.path : [...issue.path, key]);
    return { file, line: lineOf(node?.range?.[0]), path, message: problemMessage(issue, schema) };
  });
  return { ok: false, problems };
}

/** zod's words for a key that is not there */
const MISSING = /^Invalid input: expected (.*), received undefined$/;

function problemMessage(issue: Issue, schema: z.ZodType): string {
  if (issue.keys === undefined) return issue.message.replace(MISSING, 'missing, expected $1');
  const allowed = keysAt(schema, issue.path);
  const hint = allowed === undefined ? '' : `; allowed here: ${allowed.join(', ')}`;
  return `unknown key${hint}`;
}

/** Keys of the object schema at `path`, looking through arrays, defaults and unions. */
function keysAt(schema: z.ZodType, path: Path): string[] | undefined {
  type Def = {
    shape?: Record<string, z.ZodType>;
    element?: z.ZodType;
    innerType?: z.ZodType;
    in?: z.ZodType;
    options?: z.ZodType[];
  };
  const def = (schema as unknown as { def: Def }).def;
  const inner = def.innerType ?? def.in;
  if (inner !== undefined) return keysAt(inner, path);
  if (def.options !== undefined)
    return def.options.map((option) => keysAt(option, path)).find((keys) => keys !== undefined);
  const [head, ...rest] = path;
  if (def.element !== undefined) return head === undefined ? undefined : keysAt(def.element, rest);
  if (def.shape === undefined) return undefined;
  if (head === undefined) return Object.keys(def.shape);
  const next = def.shape[String(head)];
  return next === undefined ? undefined : keysAt(next, rest);
}
