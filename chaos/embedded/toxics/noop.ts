import type { Act, Stage, ToxicKind } from '../toxic.ts';

/** Passes everything on: a marker. */
export const noop: ToxicKind<never> = { attributes: [], act: (_, stage) => passThrough(stage) };

/** Also what a stage does on a connection that the draw spared. */
export function passThrough(stage: Stage): Act {
  return {
    take(chunk) {
      stage.pass(chunk);
      stage.done();
    },
  };
}
