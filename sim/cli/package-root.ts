/** Where the package lies, for the files it ships: found from this module, in the sources and in dist/. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE_NAME = 'tdisp-sim';

interface Manifest {
  readonly name: string;
  readonly version: string;
}

function manifestIn(folder: string): Manifest | undefined {
  const path = join(folder, 'package.json');
  if (!existsSync(path)) return undefined;
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Partial<Manifest>;
  const { name, version } = manifest;
  return name === PACKAGE_NAME && version !== undefined ? { name, version } : undefined;
}

function findRoot(): { folder: string; manifest: Manifest } {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const manifest = manifestIn(folder);
    if (manifest !== undefined) return { folder, manifest };
    if (dirname(folder) === folder)
      throw new Error(`package.json of ${PACKAGE_NAME} is in no folder above this program`);
  }
}

let found: ReturnType<typeof findRoot> | undefined;
function root() {
  found ??= findRoot();
  return found;
}

/** Folder of the package's own package.json. */
export const packageRoot = (): string => root().folder;

/** The package's version. */
export const packageVersion = (): string => root().manifest.version;

export const SCENARIO_FOLDER = 'sim/scenario/library';
export const PROFILE_FOLDER = 'devices/profiles';

/** Path of a file the package ships, as `shippedFile(SCENARIO_FOLDER, 'default.yaml')`. */
export const shippedFile = (folder: string, name: string): string =>
  join(packageRoot(), folder, name);

/** The path of the shipped scenario called `name`, its `.yaml` left out; undefined if there is none. */
export function shippedScenario(name: string): string | undefined {
  if (!/^[\w-]+$/.test(name)) return undefined;
  const path = shippedFile(SCENARIO_FOLDER, `${name}.yaml`);
  return existsSync(path) ? path : undefined;
}
