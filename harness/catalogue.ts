import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { described } from '../core/described.ts';
import { UsageError } from '../core/errors.ts';
import type { Scenario } from './scenario.ts';
import type { CapacitySearch } from './search/question.ts';
import type { TruthTest } from './truth-test.ts';

export type Found = { name: string; file: string };

/** The scenarios in a folder, by file name. Files that begin with `_` are not scenarios. */
export async function listScenarios(folder: string): Promise<Found[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => name.endsWith('.ts') && !name.startsWith('_'))
    .sort()
    .map((name) => ({ name: basename(name, '.ts'), file: join(folder, name) }));
}

/** Finds a scenario by its name or by a path to its file. Throws a `UsageError` that lists the names there are. */
export async function findScenario(folder: string, nameOrPath: string): Promise<Found> {
  const found = await listScenarios(folder);
  const byName = found.find(({ name }) => name === nameOrPath);
  if (byName !== undefined) return byName;
  const file = resolve(nameOrPath);
  const isFile = await stat(file)
    .then((entry) => entry.isFile())
    .catch(() => false);
  if (nameOrPath.endsWith('.ts')) {
    if (!isFile) throw new UsageError(`There is no scenario file '${nameOrPath}'`);
    return { name: basename(file, '.ts'), file };
  }
  if (isFile) throw new UsageError(`Expected a scenario file whose name ends in .ts, got '${nameOrPath}'`);
  throw new UsageError(`There is no scenario '${nameOrPath}'; there are: ${found.map(({ name }) => name).join(', ')}`);
}

/**
 * Imports a scenario file: a story, a capacity search or the truth test, of which only the plan knows whether they have all they need. What goes
 * wrong inside it, a misspelled edge for instance, is a `UsageError` that names the file.
 */
export async function loadScenario({ file }: Found): Promise<Scenario | CapacitySearch | TruthTest> {
  const { default: exported } = await imported(file);
  if (isSearch(exported) || isTruthTest(exported) || isScenario(exported)) return exported;
  throw new UsageError(
    `${file}: expected its default export to be scenario('name', { … }) or capacity('name', { … }), got ${described(exported)}`,
  );
}

/** A file is code: it may end the process, or wait for something that never comes, and neither may pass for a success. */
async function imported(file: string): Promise<{ default?: unknown }> {
  const unfinished = Promise.withResolvers<never>();
  const refuse = (sentence: string) => unfinished.reject(new UsageError(`expected it to export a scenario, but ${sentence}`));
  const stuck = () => refuse('its top level awaits what never comes');
  const tell = () => {
    console.error(`${file}: expected it to export a scenario, but it ends the process`);
    process.exitCode = 3;
  };
  // Before an exit nothing is left to do, so that nothing can come any more.
  process.once('beforeExit', stuck).once('exit', tell);
  const limit = setTimeout(refuse, longestImportMs, `its top level is not done after ${longestImportMs / 1_000} s`).unref();
  try {
    return await Promise.race([import(pathToFileURL(file).href), unfinished.promise]);
  } catch (cause) {
    const sentence = cause instanceof Error ? cause.message : `it threw ${described(cause)}`;
    throw new UsageError(`${placeOf(cause, file)}: ${sentence}`, { cause });
  } finally {
    clearTimeout(limit);
    process.off('beforeExit', stuck).off('exit', tell);
  }
}

const longestImportMs = 30_000;

/** The file with its line, as far as one is known: of a syntax error the first of its stack, which may be of a file that this one imports. */
function placeOf(thrown: unknown, file: string): string {
  const stack = (thrown instanceof Error && thrown.stack) || '';
  const [, wrong, line] = /^((?:file:\/\/)?\/.+):(\d+)\n/.exec(stack) ?? [];
  if (wrong !== undefined) return `${wrong.startsWith('file:') ? fileURLToPath(wrong) : wrong}:${line}`;
  const after = stack.split(`${pathToFileURL(file).href}:`)[1];
  return after === undefined ? file : `${file}:${Number.parseInt(after, 10)}`;
}

const isScenario = (exported: unknown): exported is Scenario => typeof exported === 'object' && exported !== null && 'name' in exported;

/** Whether an exported value asks for a capacity instead of telling a story. */
export const isSearch = (exported: unknown): exported is CapacitySearch => kindOf(exported) === 'capacity';

/** Whether it asks whether load generators tell the truth. */
export const isTruthTest = (exported: unknown): exported is TruthTest => kindOf(exported) === 'truth';

const kindOf = (exported: unknown) => (typeof exported === 'object' && exported !== null && 'kind' in exported ? exported.kind : undefined);
