/** What a load generator is asked to do to a server. `toPerSecond` makes the rate a straight line; `ownPause` is a standstill of the generator itself. */
export type Workload = {
  url: string;
  lastsMs: number;
  ratePerSecond: number;
  toPerSecond?: number;
  arrivals: 'uniform' | 'poisson';
  /** For generators that want to know how many connections they may use. */
  connections: number;
  timeoutMs: number;
  /** The rate grows from nothing for so long before: with those who have a plan, connections are then made one after the other. */
  easesInMs?: number;
  ownPause?: { atMs: number; lastsMs: number };
};

/** What it says of it afterwards, in its own words as far as it has them. What it does not tell is absent. */
export type Measured = {
  percentilesMs: { p50?: number; p90?: number; p99?: number; p999?: number; max?: number };
  planned?: number;
  sent?: number;
  answered: number;
  /** By the generator's own names; time limits that ran out are in `timeouts`. */
  errors: Record<string, number>;
  timeouts?: number;
  dropped?: number;
  lagMs?: { p50: number; p90: number; p99: number };
  serviceMsP99?: number;
  notes?: string[];
};

export type Contestant = {
  name: string;
  /** Undefined where it is not installed. */
  version: () => Promise<string | undefined>;
  /** Why it cannot do this, in words; undefined when it can. */
  refuses?: (workload: Workload) => string | undefined;
  /** CPU time and memory are of its processes, from their start to their end. */
  run: (workload: Workload, signal: AbortSignal) => Promise<Measured & { cpuMs: number; rssPeakBytes: number }>;
};
