import { readFileSync } from 'node:fs';

/**
 * The kernel's start time of a living process: together with its id it names one process for good, though ids are used again.
 * Undefined when there is no such process, when it has ended and only waits to be collected, or when this system has no /proc.
 */
export function startedAt(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses and may hold anything; the third is the state, the 22nd the start time.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}
