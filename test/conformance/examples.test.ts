import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');
mkdirSync(join(root, '.cache'), { recursive: true });
// Two folders below the root, as a path in an example counts from scenarios/, one folder below it.
const folder = mkdtempSync(join(root, '.cache', 'examples-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the examples in README and docs compile', () => {
  const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: root })];
  const examples = pages.flatMap((page) =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = '']) => ({ page, code })),
  );
  expect(examples.length).toBeGreaterThan(0);
  for (const [index, { code }] of examples.entries()) {
    writeFileSync(join(folder, `example-${index}.ts`), code.replaceAll("from '../", "from '../../"));
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.json', include: ['*.ts'], exclude: [] }));
  // What tsc has to say is the message of the failure.
  expect(compile(folder), examples.map(({ page }, index) => `example-${index}.ts is from ${page}`).join('\n')).toBe('');
});

function compile(project: string): string {
  try {
    return execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project], { cwd: root, encoding: 'utf8' });
  } catch (failed) {
    return String((failed as { stdout?: unknown }).stdout);
  }
}
