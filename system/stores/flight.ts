export type Flight = {
  /** Those who ask for a key while it is being fetched share the answer, or the error. Nothing is remembered after it has arrived. */
  share<T>(key: string, fetch: (isCurrent: () => boolean) => Promise<T>): Promise<T>;
  /** Whoever asks for the key from now on does not share what is being fetched, and the `isCurrent` of that turns false. */
  drop(key: string): void;
};

export function singleFlight(): Flight {
  const flying = new Map<string, Promise<unknown>>();
  return {
    share<T>(key: string, fetch: (isCurrent: () => boolean) => Promise<T>) {
      const shared = flying.get(key);
      if (shared !== undefined) return shared as Promise<T>;
      const isCurrent = () => flying.get(key) === own;
      const own: Promise<T> = Promise.resolve()
        .then(() => fetch(isCurrent))
        .finally(() => {
          if (isCurrent()) flying.delete(key);
        });
      flying.set(key, own);
      return own;
    },
    drop: (key) => void flying.delete(key),
  };
}
