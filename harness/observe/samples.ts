import type { Window } from './observations.ts';
import type { Sample } from './prometheus-text.ts';

/** Which series count: those that carry all of these labels. `instance` is a label of every series. */
export type Labels = Readonly<Record<string, string>>;
export type Point = { atMs: number; value: number };
/** `by` names the label whose values the answer is split by. */
export type CounterQuery = { name: string; labels?: Labels; window: Window; by?: string };

/**
 * Keeps what was read from Prometheus pages, and does the arithmetic of counters. Between two readings a counter is taken to grow evenly,
 * so the increases of neighbouring windows add up to that of both. A counter that falls was restarted from zero. A counter that is new on
 * a page which was read before has grown from zero since. A key that is missing in an answer means that nothing is known, not zero;
 * nothing is known of the time after `maxSamples` were kept either.
 */
export function createSampleStore({ maxSamples = 2_000_000 }: { maxSamples?: number } = {}) {
  const tracks = new Map<string, Track>();
  const tracksOf = new Map<string, Track[]>();
  const lastReadMs = new Map<string, number>();
  let samplesKept = 0;

  function begin(instance: string, { key, name, labels }: Sample): Track {
    const track: Track = { labels: { ...labels, instance }, atMs: [], values: [] };
    tracks.set(`${instance} ${key}`, track);
    const named = tracksOf.get(name);
    if (named === undefined) tracksOf.set(name, [track]);
    else named.push(track);
    const earlierMs = lastReadMs.get(instance);
    if (earlierMs !== undefined && name.endsWith('_total')) append(track, { atMs: earlierMs, value: 0 });
    return track;
  }

  function append({ atMs: times, values }: Track, { atMs, value }: Point): void {
    const last = values.length - 1;
    if (atMs === times[last]) {
      values[last] = value;
      return;
    }
    // A flat stretch is its two ends: most counters stand still most of the time.
    if (last > 0 && values[last] === value && values[last - 1] === value) {
      times[last] = atMs;
      return;
    }
    if (samplesKept >= maxSamples) return;
    times.push(atMs);
    values.push(value);
    samplesKept++;
  }

  const matching = (name: string, wanted: Labels) => (tracksOf.get(name) ?? []).filter(({ labels }) => carries(labels, wanted));

  function counterIncrease({ name, labels = {}, window, by = 'instance' }: CounterQuery): Map<string, number> {
    const increases = new Map<string, number>();
    for (const track of matching(name, labels)) {
      const increase = increaseIn(track, window);
      const value = track.labels[by];
      if (increase !== undefined && value !== undefined) increases.set(value, (increases.get(value) ?? 0) + increase);
    }
    return increases;
  }

  return {
    /** The samples of one page. Pages of one instance come in the order of their times. */
    add({ instance, atMs }: { instance: string; atMs: number }, samples: readonly Sample[]): void {
      for (const sample of samples) {
        const track = tracks.get(`${instance} ${sample.key}`) ?? begin(instance, sample);
        append(track, { atMs, value: sample.value });
      }
      lastReadMs.set(instance, atMs);
    },
    /** By how much counters grew in the window, summed per value of the label `by` (`instance` unless said otherwise). */
    counterIncrease,
    /** The same for each second of the window, counted from its start; the last one may be shorter. */
    perSecond({ window: { fromMs, untilMs }, ...query }: CounterQuery): Map<string, Point[]> {
      const series = new Map<string, Point[]>();
      for (let atMs = fromMs; atMs < untilMs; atMs += 1_000) {
        const second = { fromMs: atMs, untilMs: Math.min(atMs + 1_000, untilMs) };
        for (const [key, value] of counterIncrease({ ...query, window: second })) {
          const points = series.get(key);
          if (points === undefined) series.set(key, [{ atMs, value }]);
          else points.push({ atMs, value });
        }
      }
      return series;
    },
    /** What each counter has counted over all lives of its process: one that falls was restarted from zero. */
    total: (name: string): { labels: Labels; value: number }[] =>
      (tracksOf.get(name) ?? []).map(({ labels, values }) => ({ labels, value: totalOf(values) })),
    /** The newest value of each series. */
    newest: (name: string, labels: Labels = {}): { labels: Labels; value: number }[] =>
      matching(name, labels).flatMap((track) => {
        const value = track.values.at(-1);
        return value === undefined ? [] : [{ labels: track.labels, value }];
      }),
  };
}

const totalOf = (values: readonly number[]) =>
  values.reduce((sum, value, index) => {
    const before = values[index - 1] ?? 0;
    return sum + (value >= before ? value - before : value);
  }, 0);

type Track = { labels: Labels; atMs: number[]; values: number[] };

const carries = (labels: Labels, wanted: Labels) => Object.entries(wanted).every(([label, value]) => labels[label] === value);

/** Undefined where no two readings reach into the window. */
function increaseIn({ atMs, values }: Track, { fromMs, untilMs }: Window): number | undefined {
  let increase: number | undefined;
  for (let index = 1; index < values.length; index++) {
    const [startMs, endMs] = [atMs[index - 1] ?? 0, atMs[index] ?? 0];
    const overlapMs = Math.min(endMs, untilMs) - Math.max(startMs, fromMs);
    if (overlapMs <= 0) continue;
    const [before, after] = [values[index - 1] ?? 0, values[index] ?? 0];
    const grown = after >= before ? after - before : after;
    increase = (increase ?? 0) + grown * (overlapMs / (endMs - startMs));
  }
  return increase;
}
