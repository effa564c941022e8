/**
 * Lets go what this thread prints until it is more than so many characters, and swallows the rest. On its way out of a thread and a process a line
 * costs the visitors 20 µs, and one that nobody takes in time is kept: too much for a journey that prints for minutes what nobody will read.
 */
export function boundPrinting({
  streams = [process.stdout, process.stderr],
  mostCharacters = mostPrintedBytes,
}: {
  streams?: readonly Pick<NodeJS.WriteStream, 'write'>[];
  mostCharacters?: number;
} = {}): void {
  let printed = 0;
  for (const stream of streams) {
    const write = stream.write.bind(stream) as Write;
    stream.write = ((chunk, ...rest) => {
      if (printed <= mostCharacters) {
        printed += chunk.length;
        return write(chunk, ...rest);
      }
      const onWritten = rest.at(-1);
      if (typeof onWritten === 'function') process.nextTick(onWritten);
      return true;
    }) as Write;
  }
}

/** What is kept of all that a run's journeys print. */
export const mostPrintedBytes = 2 ** 20;

type Write = (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
