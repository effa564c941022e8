/** The levels of the original, gravest first. `panic` and `fatal` never happen here, but may be asked for. */
export const logLevels = ['panic', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof logLevels)[number];

export type Log = {
  /** Whether lines of this level are written, for those who would rather not prepare them. */
  has(level: LogLevel): boolean;
  say(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): void;
};

/** One line of JSON for each message of `level` or graver, with the fields that the original gives it. */
export function createLog({ level, write, now }: { level: LogLevel; write: (line: string) => void; now: () => Date }): Log {
  const gravest = logLevels.indexOf(level);
  const has = (of: LogLevel) => logLevels.indexOf(of) <= gravest;
  return {
    has,
    say(of, message, fields = {}) {
      if (has(of)) write(`${JSON.stringify({ level: of, ...fields, time: now().toISOString(), message })}\n`);
    },
  };
}
