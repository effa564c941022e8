import { described } from './described.ts';

/** Quantities as people write them. They are parsed once, where a scenario enters the harness; inside, a number carries its unit in its name. */
export type Duration = `${number}${'ms' | 's' | 'm'}`;
/** Arrivals a second: `'120/s'`, or a multiple of the capacity that the run's own probe found: `'0.4x'`. */
export type Rate = `${number}/s` | `${number}x`;
export type Percent = `${number}%`;

const msPerUnit = { ms: 1, s: 1_000, m: 60_000 };

/** `'250ms'`, `'1.5s'`, `'2m'` in milliseconds. Throws `TypeError` for anything else, also for what is not text. */
export function toMs(text: Duration): number {
  const match = matched(text, /^(\d+(?:\.\d+)?)(ms|s|m)$/);
  if (match === null) throw new TypeError(`Expected a duration such as '250ms', '30s' or '2m', got ${described(text)}`);
  return Number(match[1]) * msPerUnit[match[2] as keyof typeof msPerUnit];
}

/** `'12.5%'` as the share 0.125. */
export function toShare(text: Percent): number {
  const match = matched(text, /^(\d+(?:\.\d+)?)%$/);
  if (match === null || Number(match[1]) > 100) throw new TypeError(`Expected a percentage from '0%' to '100%', got ${described(text)}`);
  return Number(match[1]) / 100;
}

/** `'120/s'` is 120 whatever the capacity; `'0.4x'` is 0.4 of `capacityPerSecond`, and an error where no probe ran. */
export function toRatePerSecond(text: Rate, capacityPerSecond?: number): number {
  const match = matched(text, /^(\d+(?:\.\d+)?)(\/s|x)$/);
  if (match === null) throw new TypeError(`Expected a rate such as '120/s' or '0.4x', got ${described(text)}`);
  if (match[2] === '/s') return Number(match[1]);
  if (capacityPerSecond === undefined) throw new TypeError(`The rate '${text}' is a multiple of the capacity, and no capacity is known`);
  return Number(match[1]) * capacityPerSecond;
}

/** A pattern would take a list of one text for the text. */
const matched = (text: unknown, pattern: RegExp) => (typeof text === 'string' ? pattern.exec(text) : null);
