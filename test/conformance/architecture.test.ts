import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

/** Who may import whom. A folder that is absent here may be imported by nobody. */
const mayImport: Record<string, readonly string[]> = {
  core: [],
  system: ['core'],
  chaos: ['core', 'system/topology.ts'],
  // config.ts and tuning.ts are what the system asks of whoever deploys it.
  compose: ['core', 'system/topology.ts', 'system/config.ts', 'system/tuning.ts'],
  harness: ['core', 'system/topology.ts', 'system/tuning.ts', 'chaos', 'compose'],
  reports: ['core', 'harness/record.ts'],
  scenarios: ['harness/index.ts'],
  bench: ['core', 'system', 'chaos', 'compose', 'harness'],
};

test.each(Object.keys(mayImport))('%s imports only what it may', (folder) => {
  const allowed = [folder, ...(mayImport[folder] ?? [])];
  const files = globSync(`${folder}/**/*.ts`, { cwd: root }).filter((file) => !file.includes('/gen/'));
  expect(files.length).toBeGreaterThan(0);
  const strays = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => !allowed.some((permitted) => target === permitted || target.startsWith(`${permitted}/`)))
      .map((target) => `${file} -> ${target}`),
  );
  expect(strays).toEqual([]);
});

test('no file imports itself in a circle', () => {
  const files = globSync('{core,system,chaos,compose,harness,reports,scenarios,bench}/**/*.ts', { cwd: root }).filter(
    (file) => !file.includes('/gen/'),
  );
  const graph = new Map(files.map((file) => [file, importsOf(file)]));
  const finished = new Set<string>();
  const rings: string[] = [];
  const visit = (file: string, path: readonly string[]) => {
    if (path.includes(file)) rings.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    else if (!finished.has(file)) {
      for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
      finished.add(file);
    }
  };
  for (const file of files) visit(file, []);
  expect(rings).toEqual([]);
});

/** Our own files that a file imports: static and dynamic imports, re-exports, and workers or children started by URL. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(root, file), 'utf8');
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'|new URL\('(\.[^']+\.ts)'/g)].map(([, imported, started]) =>
    relative(root, join(root, dirname(file), imported ?? started ?? '')),
  );
}
