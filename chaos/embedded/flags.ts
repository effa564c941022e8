import { UsageError } from '../../core/errors.ts';
import { type LogLevel, logLevels } from './log.ts';

/** What the command line and the environment of a server say. `config` is the path of a file with proxies. */
export type Flags = {
  host: string;
  port: number;
  config: string | undefined;
  seed: number | undefined;
  proxyMetrics: boolean;
  runtimeMetrics: boolean;
  version: boolean;
  help: boolean;
};

export const flagsHelp = `node cli.ts toxiproxy: a server that any client of Toxiproxy 2 can use

  -host <name>       where the control API listens, default localhost
  -port <number>     its port, default 8474
  -config <file>     JSON with the proxies to make at the start: [{ "name", "listen", "upstream", "enabled" }]
  -seed <number>     makes the draws of toxicity, jitter and slicer the same in each run
  -proxy-metrics     counters of proxies on /metrics; on unless it is =false
  -runtime-metrics   metrics of the process on /metrics
  -version           prints the version

One dash or two; -flag value or -flag=value. LOG_LEVEL is ${logLevels.join(', ')}; default info.`;

const texts = ['host', 'port', 'config', 'seed'] as const;
const switches = ['proxy-metrics', 'runtime-metrics', 'version', 'help', 'h'] as const;

/** Reads flags as Go programs do: one dash or two, the value behind a space or `=`, switches without one or `=true`. Throws `UsageError`. */
export function parseFlags(args: readonly string[]): Flags {
  const given = new Map<string, string>();
  const rest = [...args];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const { name, value } = /^--?(?<name>[a-z-]*[a-z])(?:=(?<value>.*))?$/s.exec(argument)?.groups ?? {};
    if (name === undefined) throw new UsageError(`Expected a flag such as -port 8474, got '${argument}'`);
    if (isOneOf(switches, name)) given.set(name, value ?? 'true');
    else if (isOneOf(texts, name)) given.set(name, value ?? rest.shift() ?? missingValue(name));
    else
      throw new UsageError(`There is no flag -${name}; there are ${[...texts, ...switches.slice(0, 3)].map((one) => `-${one}`).join(' ')}`);
  }
  const seed = given.get('seed');
  return {
    host: (given.get('host') ?? 'localhost').replace(/[[\]]/g, ''),
    port: integer('port', given.get('port') ?? '8474', { from: 0, to: 65_535 }),
    config: given.get('config') || undefined,
    seed: seed === undefined ? undefined : integer('seed', seed, { from: -(2 ** 63), to: 2 ** 63 }),
    proxyMetrics: isOn('proxy-metrics', given.get('proxy-metrics') ?? 'true'),
    runtimeMetrics: isOn('runtime-metrics', given.get('runtime-metrics') ?? 'false'),
    version: isOn('version', given.get('version') ?? 'false'),
    help: isOn('help', given.get('help') ?? given.get('h') ?? 'false'),
  };
}

/** `LOG_LEVEL` as the original takes it; nothing at all is `info`. */
export function logLevelFrom(text: string | undefined): LogLevel {
  if (text === undefined || text === '') return 'info';
  const level = text.toLowerCase();
  if (!isOneOf(logLevels, level)) throw new UsageError(`Expected LOG_LEVEL to be one of ${logLevels.join(', ')}, got '${text}'`);
  return level;
}

function isOneOf<T extends string>(names: readonly T[], name: string): name is T {
  return (names as readonly string[]).includes(name);
}

function missingValue(name: string): never {
  throw new UsageError(`Expected -${name} to have a value`);
}

function integer(name: string, text: string, { from, to }: { from: number; to: number }): number {
  const value = Number(text);
  if (/^-?\d+$/.test(text) && value >= from && value <= to) return value;
  throw new UsageError(`Expected -${name} to be a whole number from ${from} to ${to}, got '${text}'`);
}

function isOn(name: string, text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new UsageError(`Expected -${name} to be true or false, got '${text}'`);
}
