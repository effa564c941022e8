import { setPriority } from 'node:os';

/**
 * Puts the calling thread before others (nice -10), so that it runs when it is due, however busy the mall keeps the cores. False where the system
 * refuses (only root may go first): that is noted, not fought, and the measured lag tells whether it mattered.
 *
 * Linux keeps this number for each thread, and a thread is born with that of the thread that starts it: call this before workers are started.
 * Workers started earlier, and V8's own helpers, which start with the process, keep theirs. On other systems it holds for the whole process.
 */
export function raisePriority(): boolean {
  try {
    setPriority(-10);
    return true;
  } catch {
    return false;
  }
}
