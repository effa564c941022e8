import type { Chunk, ToxicKind } from '../toxic.ts';

/** The first chunk, or the end, is kept; `timeout` ms later both sides are reset. An idle connection is left alone. */
export const resetPeer: ToxicKind<'timeout'> = {
  attributes: ['timeout'],
  resets: true,
  act({ timeout }, stage) {
    let kept: Chunk | undefined;

    function resetLater(): void {
      if (timeout > 0) stage.wakeAfter(timeout, () => stage.end());
      else stage.end();
    }

    return {
      take(chunk) {
        kept = chunk;
        resetLater();
      },
      takeEnd: resetLater,
      interrupt(why) {
        // Removed in time: the connection goes on as if nothing had been. Changed: the wait starts again.
        if (why === 'restart' && kept !== undefined) stage.putBack(kept);
        return why === 'removal' ? kept : undefined;
      },
    };
  },
};
