import type { ToxicKind } from '../toxic.ts';

/** Everything vanishes. The connection is closed after `timeout` ms without a chunk, or never if that is 0. */
export const timeout: ToxicKind<'timeout'> = {
  attributes: ['timeout'],
  closesOnRemoval: true,
  act({ timeout }, stage) {
    function closeLater(): void {
      if (timeout > 0) stage.wakeAfter(timeout, () => stage.end());
    }

    closeLater();
    return {
      take() {
        closeLater();
        stage.done();
      },
    };
  },
};
