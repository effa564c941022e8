/* A process that wants all of one CPU, until its parent goes. */
process.on('disconnect', () => process.exit());
work();

function work(): void {
  const untilNs = process.hrtime.bigint() + 10_000_000n;
  while (process.hrtime.bigint() < untilNs);
  setImmediate(work);
}
