/** What the harness tells its watchdog, one JSON document a line. `startedAt` is the kernel's start time of the process, where there is one. */
export type WatchdogMessage =
  | { kind: 'guardProcess'; pid: number; startedAt?: string }
  | { kind: 'release'; pid: number }
  | { kind: 'guardFolder'; path: string }
  | { kind: 'goodbye' };
