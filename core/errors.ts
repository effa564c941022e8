/**
 * Something the person at the keyboard can mend: a misspelled name, a port in use, a read-only folder.
 * It is printed as its one sentence, without a stack, and the process exits with 3.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What went wrong, in one line, whatever was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
