/**
 * How the times of requests get from the threads that measure them to the one that adds them up, without a message per request:
 *
 *     writer (io or hiccup thread)                        reader (the generator's main thread)
 *     record, count ──> slots in shared memory
 *     sealBefore ─────> which slots are complete ───────> adds them up, empties them ──> rows, counters
 *     released <─────── which slots are free again ─────<
 *
 * One thread writes to a slot at a time, and the messages hand it over: plain additions are enough.
 */
export { fromHistogram, histogramOfRow, toHistogram } from './histogram.ts';
export { createLedgerReader, type LedgerCounters, type LedgerReader, type LedgerRow } from './reader.ts';
export { type Counter, counter, counters, type LedgerMessage, type Measure, measure, measures } from './slots.ts';
export { createLedgerWriter, type LedgerWriter } from './writer.ts';
