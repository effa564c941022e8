import type { ToxicKind } from '../toxic.ts';

/** Closes each connection once it has carried `bytes` in this direction; what goes beyond is cut off. At 0 it closes at the first byte. */
export const limitData: ToxicKind<'bytes'> = {
  attributes: ['bytes'],
  act: ({ bytes: limit }, stage) => ({
    take({ bytes, stampMs }) {
      const { memory } = stage;
      const allowed = bytes.subarray(0, Math.max(0, limit - memory.passedBytes));
      memory.passedBytes += allowed.length;
      if (allowed.length > 0) stage.pass({ bytes: allowed, stampMs });
      if (memory.passedBytes >= limit) stage.end();
      else stage.done();
    },
  }),
};
