/** Sends a signal to a process that leads a group, and to all it has started. Nothing happens where no such group is left. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // All of it has ended: then there is nothing left to signal.
  }
}
