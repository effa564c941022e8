/**
 * Starts several things at once. When one fails, the others are told to give up through the signal they got, and the first failure is
 * thrown only after all of them have settled: what they started until then is registered for undo, and nothing starts later.
 */
export async function together<T>(signal: AbortSignal, starts: readonly ((signal: AbortSignal) => Promise<T>)[]): Promise<T[]> {
  const giveUp = new AbortController();
  const either = AbortSignal.any([signal, giveUp.signal]);
  let failure: { reason: unknown } | undefined;
  const settled = await Promise.all(
    starts.map(async (start) => {
      try {
        return { value: await start(either) };
      } catch (reason) {
        failure ??= { reason };
        giveUp.abort(reason);
        return undefined;
      }
    }),
  );
  if (failure !== undefined) throw failure.reason;
  return settled.flatMap((one) => (one === undefined ? [] : [one.value]));
}
