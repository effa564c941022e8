/** The mall's envelope around every answer, and the fields that a driver looks for. All of it may be missing: it comes from outside. */
export type Body = { code?: unknown; data?: { id?: unknown; status?: unknown; token?: unknown } | null };

/** A body that is no JSON object reads as an empty one: the caller misses the field it wanted. */
export function jsonOf(text: string): Body {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    // Whoever answered was no mall; the status has been counted, and there is nothing to read.
    return {};
  }
}
