import type { ToxicKind } from '../toxic.ts';
import { passThrough } from './noop.ts';

/** Bytes pass untouched; the end of the source is passed on `delay` ms late. A change starts the whole wait again. */
export const slowClose: ToxicKind<'delay'> = {
  attributes: ['delay'],
  act: ({ delay }, stage) => ({
    ...passThrough(stage),
    takeEnd: () => (delay > 0 ? stage.wakeAfter(delay, () => stage.end()) : stage.end()),
  }),
};
