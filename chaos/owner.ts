import { hostname } from 'node:os';
import { startedAt } from '../core/started.ts';

/**
 * Proxies on a server that others use too carry the name of the run that made them: `stampede:<host>:<pid>:<start time>:<wire>`. A run that was
 * killed could not take its own away; whoever comes next on the same host can tell that their owner is gone.
 */
export const ownPrefix = (pid: number = process.pid) => `${family}${hostname()}:${pid}:${startedAt(pid) ?? ''}:`;

/** Whether a proxy was made by a run on this host that no longer exists. One whose start time is not told, as without /proc, may still live. */
export function isOrphan(proxy: string): boolean {
  if (!proxy.startsWith(`${family}${hostname()}:`)) return false;
  const [pid = '', started = ''] = proxy.slice(family.length + hostname().length + 1).split(':');
  return /^\d+$/.test(pid) && /^\d+$/.test(started) && startedAt(Number(pid)) !== started;
}

const family = 'stampede:';
