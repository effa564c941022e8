import type { Socket } from 'node:net';
import type { Random } from '../../core/random.ts';
import type { Clock } from '../../core/time.ts';
import { longestReadBytes, type Source } from './source.ts';
import { type Giver, type Receiver, ToxicStage } from './stage.ts';
import type { Chunk, Toxic } from './toxic.ts';
import type { Flow } from './traffic.ts';

/** One direction of one connection. Toxics come and go on it while bytes flow; none is lost, and order is kept. */
export type Link = {
  /** Puts a toxic at the end of the chain, next to the destination. Bytes in hand bypass it. */
  add(toxic: Toxic): void;
  /** Starts the stage of a toxic again, with the values it has now. */
  update(toxic: Toxic): void;
  /** Passes on at once what the toxic held up, and takes its stage out. */
  remove(toxic: Toxic): void;
  /** Whether a toxic acts on it that wants both sockets reset at the end. */
  resets(): boolean;
};

/**
 *   source ── reader ──▶ stage ──▶ stage ──▶ writer ── destination
 *
 * Without toxics the reader writes straight to the destination: no queue, no stamp, no timer. The end of the source travels behind its
 * last byte; then `close` closes the destination. That is the source of the opposite link, which ends the same way.
 */
export function openLink({
  source,
  destination,
  toxics,
  close,
  flow,
  clock,
  random,
}: {
  source: Source;
  destination: Socket;
  toxics: readonly Toxic[];
  close: (socket: Socket) => void;
  flow: Flow;
  clock: Clock;
  random: Random;
}): Link {
  const stages: ToxicStage[] = [];
  const writer = createWriter(destination, { close, flow });
  const reader = createReader(source, { destination, writer, flow, clock });
  writer.before = reader;

  for (const toxic of toxics) append(toxic);
  for (const stage of stages) stage.start();

  destination.on('close', () => {
    writer.drop();
    for (const stage of stages) stage.drop();
  });
  source.socket.resume();

  return {
    add(toxic) {
      const last = stages.at(-1);
      if (destination.destroyed || (last?.ended ?? reader.hasEnded())) return;
      for (const chunk of last?.interrupt('restart') ?? []) writer.give(chunk);
      append(toxic).start();
      last?.start();
    },

    update(toxic) {
      const stage = stageOf(toxic);
      if (stage === undefined || stage.ended) return;
      for (const chunk of stage.interrupt('restart')) stage.after.give(chunk);
      stage.start();
    },

    remove(toxic) {
      const stage = stageOf(toxic);
      if (stage === undefined || stage.ended) return;
      const held = stage.interrupt('removal');
      if (toxic.kind.closesOnRemoval) return stage.end();
      for (const chunk of held) stage.after.give(chunk);
      takeOut(stage);
    },

    resets: () => stages.some((stage) => stage.acts && stage.toxic.kind.resets),
  };

  function append(toxic: Toxic): ToxicStage {
    const before = stages.at(-1) ?? reader;
    const stage = new ToxicStage(toxic, { before, after: writer, clock, random });
    before.after = stage;
    writer.before = stage;
    stages.push(stage);
    return stage;
  }

  function takeOut(stage: ToxicStage): void {
    const index = stages.indexOf(stage);
    const previous = stages[index - 1];
    const restarts = previous !== undefined && !previous.ended;
    const held = restarts ? previous.interrupt('restart') : [];
    stage.empty();
    for (const chunk of held) stage.after.give(chunk);
    stages.splice(index, 1);
    stage.before.after = stage.after;
    stage.after.before = stage.before;
    if (restarts) previous.start();
    else stage.before.pump();
  }

  function stageOf(toxic: Toxic): ToxicStage | undefined {
    return stages.find((stage) => stage.toxic === toxic);
  }
}

/** Reads are cut to this size, which is what one read of the original brings. */
const longestChunkBytes = 32 * 1024;

/** A source that has brought as much lets the others have their turn, and control calls too: libuv alone would read 32 times in a row. */
const longestTurnBytes = longestReadBytes;

type Reader = Giver & { hasEnded(): boolean };

function createReader(
  { socket: source, to }: Source,
  { destination, writer, flow, clock }: { destination: Socket; writer: Writer; flow: Flow; clock: Clock },
): Reader {
  let isPaused = false;
  let hasEnded = false;
  let turnBytes = 0;
  const reader: Reader = { after: writer, hasEnded: () => hasEnded, pump };

  to(forward);
  source.on('end', end);
  source.on('close', function finish() {
    // A reset overtakes what was read before it and still waits for room.
    for (let rest: Buffer | null = source.read(); rest !== null; rest = source.read()) forward(rest);
    end();
  });
  return reader;

  /** Answers whether the bytes are still needed. */
  function forward(bytes: Buffer): boolean {
    flow.receivedBytes += bytes.length;
    const isNeeded = reader.after === writer && writer.isFree() ? write(bytes) : giveInChunks(bytes);
    turnBytes += bytes.length;
    if (!isPaused && turnBytes >= longestTurnBytes) {
      turnBytes = 0;
      pause();
      setImmediate(pump);
    }
    return isNeeded;
  }

  function write(bytes: Buffer): boolean {
    flow.sentBytes += bytes.length;
    // The kernel mostly takes all at once, and then nobody needs them any more.
    const kept = destination.writableLength === 0 ? bytes : asKept(bytes);
    if (!destination.write(kept)) pause();
    return kept === bytes && destination.writableLength > 0;
  }

  function pause(): void {
    isPaused = true;
    source.pause();
  }

  function pump(): void {
    if (!isPaused || hasEnded || !hasRoom()) return;
    isPaused = false;
    source.resume();
  }

  function hasRoom(): boolean {
    // Toxics that come and go leave what they held with the writer; a destination that does not read must not pile it up.
    return reader.after.hasRoom() && !writer.isBehind();
  }

  function giveInChunks(bytes: Buffer): boolean {
    const stampMs = clock();
    const kept = asKept(bytes);
    for (let start = 0; start < kept.length; start += longestChunkBytes)
      reader.after.give({ bytes: kept.subarray(start, start + longestChunkBytes), stampMs });
    if (!hasRoom()) pause();
    return kept === bytes;
  }

  function end(): void {
    if (hasEnded) return;
    hasEnded = true;
    reader.after.giveEnd();
  }
}

/** What waits must not hold the memory of a whole read for a few bytes. */
const asKept = (bytes: Buffer) => (bytes.length < longestReadBytes / 2 ? Buffer.from(bytes) : bytes);

type Writer = Receiver & {
  /** Nothing is under way, so that a write keeps the order. */
  isFree(): boolean;
  /** More than one chunk waits behind the one that is being written. */
  isBehind(): boolean;
  drop(): void;
};

const nobody: Giver = {
  pump() {},
  get after(): Receiver {
    throw new Error('A link was used before it was complete');
  },
};

/** Chunks that the kernel takes at once are written without a look at anything else; after so many the others have their turn. */
const longestRunChunks = 32;

/** Writes one chunk at a time, so that chunks which a toxic spaced out are not merged again. */
function createWriter(destination: Socket, { close, flow }: { close: (socket: Socket) => void; flow: Flow }): Writer {
  let inbox: Chunk[] = [];
  let isWriting = false;
  let runChunks = 0;
  let hasEnded = false;
  let isGone = false;

  const writer: Writer = {
    before: nobody,
    hasRoom: () => !isWriting && inbox.length === 0 && !destination.writableNeedDrain,
    isFree: () => !isWriting && inbox.length === 0,
    isBehind: () => inbox.length > 1,
    give(chunk) {
      if (isGone) return;
      inbox.push(chunk);
      if (!isWriting) writeNext();
    },
    giveEnd() {
      hasEnded = true;
      if (!isWriting) closeDestination();
    },
    drop() {
      isGone = true;
      inbox = [];
    },
  };
  destination.on('drain', () => writer.before.pump());
  return writer;

  function writeNext(): void {
    const chunk = inbox.shift();
    if (chunk !== undefined) {
      isWriting = true;
      flow.sentBytes += chunk.bytes.length;
      destination.write(chunk.bytes, written);
    } else if (hasEnded) closeDestination();
    else writer.before.pump();
  }

  function written(): void {
    runChunks += 1;
    if (runChunks % longestRunChunks === 0) setImmediate(goOn);
    else goOn();
  }

  function goOn(): void {
    isWriting = false;
    if (!isGone) writeNext();
  }

  function closeDestination(): void {
    isGone = true;
    close(destination);
  }
}
