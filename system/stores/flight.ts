/** Lets those who ask for a key while it is being fetched share the answer, or the error. Nothing is remembered after it has arrived. */
export function singleFlight(): <T>(key: string, fetch: () => Promise<T>) => Promise<T> {
  const flying = new Map<string, Promise<unknown>>();
  return function flight<T>(key: string, fetch: () => Promise<T>) {
    const shared = flying.get(key);
    if (shared !== undefined) return shared as Promise<T>;
    const own = fetch().finally(() => flying.delete(key));
    flying.set(key, own);
    return own;
  };
}
