import { fileURLToPath } from 'node:url';
import type { VisitsOrder } from './load-visits-child.ts';
import type { Contestant } from './truth/contestant.ts';
import { ours } from './truth/contestants/ours.ts';
import { contestantFrom } from './truth/contestants/tool.ts';

/**
 * The driver's own code without its plan: as many visits at a time as there are connections, each followed by the next at once. That is how
 * autocannon works, and so the like for like of what a request costs.
 */
export const oursClosed: Contestant = contestantFrom({
  name: 'stampede, closed',
  version: ours.version,
  cannot: { ramp: true },
  command: ({ url, lastsMs, connections, timeoutMs }) => ({
    program: process.execPath,
    args: [childFile, JSON.stringify({ url, lastsMs, connections, timeoutMs } satisfies VisitsOrder)],
  }),
  read: (stdout) => ({ percentilesMs: {}, answered: Number(stdout), errors: {}, notes: ['closed: no rate'] }),
});

const childFile = fileURLToPath(new URL('./load-visits-child.ts', import.meta.url));
