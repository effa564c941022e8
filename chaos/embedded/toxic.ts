import type { Random } from '../../core/random.ts';
import type { Clock } from '../../core/time.ts';

/** What one read brought, at most 32 KiB, and when, in milliseconds of the server's clock. */
export type Chunk = { bytes: Buffer; stampMs: number };

/**
 * A kind of toxic: one file in `toxics/` and one line in its table. All attributes are integers, 0 unless given; values that would
 * do harm are accepted and guarded against in `act`.
 */
export type ToxicKind<Attribute extends string = string> = {
  attributes: readonly Attribute[];
  /** How many chunks may wait in front of the stage. Without it the source waits while a chunk is being dealt with. */
  queues?: number;
  /** Connections of the proxy are closed when the toxic is removed, since their streams have holes. */
  closesOnRemoval?: true;
  /** Connections opened while the toxic acts end in a reset instead of an orderly close. */
  resets?: true;
  /** Called at each start of the stage on a connection: when it opens, and after each change of this toxic or of the one behind it. */
  act(attributes: Readonly<Record<Attribute, number>>, stage: Stage): Act;
};

/** What a toxic does between one start of its stage and the next. */
export type Act = {
  /** A chunk has come. The next one comes after `stage.done()`. */
  take(chunk: Chunk): void;
  /** The source has ended and everything before was taken. Without it the end is passed on at once. */
  takeEnd?(): void;
  /** The stage is about to be started again or removed: gives back what is left of the chunk in hand, to be passed on at once. */
  interrupt?(why: 'restart' | 'removal'): Chunk | undefined;
};

/** What a toxic may do on one direction of one connection. */
export type Stage = {
  readonly clock: Clock;
  readonly random: Random;
  /** What the toxic remembers of this direction of this connection from one start of its stage to the next. */
  readonly memory: { passedBytes: number };
  /** Hands bytes on. Order is kept. */
  pass(chunk: Chunk): void;
  /** Asks for the next chunk. */
  done(): void;
  /** Ends the stream here: the destination is closed after what has been passed, and then the source. */
  end(): void;
  /** Calls back after `waitMs`, to the nearest millisecond that timers can keep: at most half of one early. A stage has one alarm; setting it again replaces it, an interrupt cancels it. */
  wakeAfter(waitMs: number, wake: () => void): void;
  /** Puts a chunk back to the front of the queue, for the next start of the stage. */
  putBack(chunk: Chunk): void;
};

export type Stream = 'upstream' | 'downstream';

/** A toxic in the chain of a proxy. `stream` and `toxicity` are kept as they were given, since that is how they are shown. */
export type Toxic = {
  name: string;
  type: string;
  stream: string;
  /** The share of connections on which it acts: drawn anew at each start of a stage. */
  toxicity: number;
  attributes: Record<string, number>;
  kind: ToxicKind;
};
