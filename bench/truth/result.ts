import { isClaim, isRight, type Target, type TruthFigure, type Unit } from './figure.ts';

/** Everything that one run of the benchmark found: plain data, all that the table knows. */
export type TruthTable = {
  header: Header;
  contestants: readonly { name: string; version: string | undefined }[];
  scripts: readonly ScriptResult[];
};

export type Header = { machine: string; node: string; date: string; repeats: number; pingMs: number };

export type ScriptResult = { name: string; about: string; results: readonly Result[] };

/** What became of one contestant in one script. */
export type Result = {
  contestant: string;
  /** Why it did not take part, in words. */
  refused?: string;
  valid: number;
  invalid: number;
  /** What went wrong in plays that it did not finish, one for each of them. */
  failed: readonly string[];
  rows: readonly Row[];
  /** `cpuUsPerRequest` is all of its CPU time, start included, by the requests it tells the end of. */
  cost?: { requests: Spread; cpuMs: Spread; cpuUsPerRequest: Spread; rssPeakMb: Spread };
  notes: readonly string[];
};

/**
 * One figure over all valid plays. `right` of `judged` plays were near enough to what was right in them, and `silent` plays told nothing of it. The
 * target is that of the middle one.
 */
export type Row = {
  name: string;
  unit: Unit;
  said: Spread | undefined;
  target: Target | undefined;
  byLog: number | undefined;
  judged: number;
  right: number;
  silent: number;
};

/** The middle of several plays, and the ends. */
export type Spread = { median: number; low: number; high: number };

export function spreadOf(values: readonly (number | undefined)[]): Spread | undefined {
  const sorted = values.filter((value) => value !== undefined).toSorted((a, b) => a - b);
  const [low, high] = [sorted[0], sorted.at(-1)];
  const [below, above] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  if (low === undefined || high === undefined || below === undefined || above === undefined) return undefined;
  return { median: (below + above) / 2, low, high };
}

/**
 * What one more request costs in CPU time: two scripts that last as long and differ in nothing but the rate, so that starting, and whatever else goes
 * on without requests, is in both. Undefined where one of them was not played, and for who keeps no rate: there both have as many.
 */
export function cpuUsPerFurtherRequest({ scripts }: Pick<TruthTable, 'scripts'>, contestant: string): number | undefined {
  const [few, many] = ['floor', 'uniform'].map(
    (name) => scripts.find((script) => script.name === name)?.results.find((result) => result.contestant === contestant)?.cost,
  );
  if (few === undefined || many === undefined || many.requests.median < 2 * few.requests.median) return undefined;
  return ((many.cpuMs.median - few.cpuMs.median) * 1_000) / (many.requests.median - few.requests.median);
}

/** True when every valid play had it right; undefined where nothing was claimed or told. */
export function isMet({ judged, right }: Pick<Row, 'judged' | 'right'>): boolean | undefined {
  return judged === 0 ? undefined : right === judged;
}

/** Puts the figures of several plays together, by name. */
export function rowsOf(plays: readonly (readonly TruthFigure[])[]): Row[] {
  const names = plays[0]?.map(({ name }) => name) ?? [];
  return names.flatMap((name) => {
    const figures = plays.flatMap((play) => play.find((figure) => figure.name === name) ?? []);
    const [first] = figures;
    if (first === undefined) return [];
    const verdicts = figures.map(isRight).filter((verdict) => verdict !== undefined);
    return {
      name,
      unit: first.unit,
      said: spreadOf(figures.map(({ said }) => said)),
      target: figures[Math.floor(figures.length / 2)]?.target,
      byLog: spreadOf(figures.map(({ byLog }) => byLog))?.median,
      judged: verdicts.length,
      right: verdicts.filter(Boolean).length,
      silent: figures.filter(({ said, target }) => said === undefined && target !== undefined && isClaim(target)).length,
    };
  });
}
