import type { RequestOutcome } from '../../harness/record.ts';

/** Names of custom properties in colours.css. A thing has its colour by its place in a fixed order, in every panel the same. */
export const colourOf = (index: number) => `series-${(index % 6) + 1}`;
export const colourOfOutcome = (outcome: RequestOutcome) => `outcome-${outcome}`;
