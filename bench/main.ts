import { parseArgs } from 'node:util';
import { messageOf, UsageError } from '../core/errors.ts';
import { requireNode } from '../core/runtime.ts';
import type { Bench } from './figure.ts';
import { asJson, asTable } from './table.ts';

/** Loaded when asked for: a bench that measures nanoseconds must not share its heap with the others. */
const benches: Record<string, () => Promise<{ bench: Bench }>> = {
  chain: () => import('./chain.ts'),
  cpu: () => import('./cpu.ts'),
  governance: () => import('./governance.ts'),
  load: () => import('./load.ts'),
  'load-memory': () => import('./load-memory.ts'),
  path: () => import('./path.ts'),
  proxy: () => import('./proxy.ts'),
  storms: () => import('./storms.ts'),
};

requireNode();
process.exit(await main(process.argv.slice(2)).catch(explain));

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
  const [name, ...more] = positionals;
  const names = Object.keys(benches).join(', ');
  if (name === undefined) throw new UsageError(`Expected the name of a bench: ${names}`);
  if (more.length > 0) throw new UsageError(`Expected one bench, got '${positionals.join(' ')}'`);
  const load = Object.hasOwn(benches, name) ? benches[name] : undefined;
  if (load === undefined) throw new UsageError(`There is no bench '${name}'; there are ${names}`);
  const { bench } = await load();
  const figures = await bench.measure((line) => console.error(line));
  console.log(values.json ? asJson(figures) : asTable(bench.about, figures));
  return 0;
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, allowPositionals: true, options: { json: { type: 'boolean' } } });
  } catch (cause) {
    throw new UsageError(messageOf(cause), { cause });
  }
}

function explain(thrown: unknown): number {
  if (!(thrown instanceof UsageError)) throw thrown;
  console.error(thrown.message);
  return 3;
}
