import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, UsageError } from '../core/errors.ts';
import type { MallScenario, Scenario, TargetScenario } from './scenario.ts';
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
  if (!nameOrPath.endsWith('.ts')) {
    throw new UsageError(`There is no scenario '${nameOrPath}'; there are: ${found.map(({ name }) => name).join(', ')}`);
  }
  const file = resolve(nameOrPath);
  const isFile = await stat(file)
    .then((entry) => entry.isFile())
    .catch(() => false);
  if (!isFile) throw new UsageError(`There is no scenario file '${nameOrPath}'`);
  return { name: basename(file, '.ts'), file };
}

/**
 * Imports a scenario file: a story, a capacity search or the truth test. What goes wrong inside it, a misspelled edge for instance, is a `UsageError` that names
 * the file.
 */
export async function loadScenario({ file }: Found): Promise<Scenario | CapacitySearch | TruthTest> {
  let exported: unknown;
  try {
    exported = ((await import(pathToFileURL(file).href)) as { default?: unknown }).default;
  } catch (cause) {
    throw new UsageError(`${file}: ${messageOf(cause)}`, { cause });
  }
  if (isSearch(exported) || isTruthTest(exported)) return exported;
  if (!isScenario(exported))
    throw new UsageError(`${file}: expected its default export to be scenario('name', { story, mall, shoppers, timeline })`);
  return exported;
}

function isScenario(exported: unknown): exported is Scenario {
  const fields = typeof exported === 'object' && exported !== null ? (exported as Partial<MallScenario & TargetScenario>) : {};
  const isAboutSomething = (fields.mall && fields.shoppers) || (fields.target && fields.journey);
  return typeof fields.name === 'string' && Boolean(isAboutSomething) && Array.isArray(fields.timeline);
}

/** Whether an exported value asks for a capacity instead of telling a story. */
export const isSearch = (exported: unknown): exported is CapacitySearch => kindOf(exported) === 'capacity';

/** Whether it asks whether load generators tell the truth. */
export const isTruthTest = (exported: unknown): exported is TruthTest => kindOf(exported) === 'truth';

const kindOf = (exported: unknown) => (typeof exported === 'object' && exported !== null && 'kind' in exported ? exported.kind : undefined);
