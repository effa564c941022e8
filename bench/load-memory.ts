import type { Bench } from './figure.ts';
import { playLoad, startLoadServer } from './load-play.ts';
import { ours } from './truth/contestants/ours.ts';

/**
 * Does the generator grow with the number of requests? The most memory that ours ever held over ten million requests, beside what it held
 * over a million at the same rate. Takes eight minutes.
 */
export const bench: Bench = {
  about: `Peak memory of our load generator at 25,000/s, over a million requests and over ten million`,
  async measure(say) {
    await using undo = new AsyncDisposableStack();
    const server = await startLoadServer(undo);
    const [few, many] = [await peakOf(1_000_000), await peakOf(10_000_000)];
    return [
      { name: 'peak RSS over 1,000,000 requests', unit: 'MB', value: few },
      { name: 'peak RSS over 10,000,000 requests', unit: 'MB', value: many },
      { name: 'growth', unit: '%', goal: { atMost: 10 }, value: (many / few - 1) * 100 },
    ];

    async function peakOf(requests: number): Promise<number> {
      say(`${requests.toLocaleString('en')} requests`);
      const { measured, keptUp } = await playLoad(ours, {
        server,
        ratePerSecond,
        lastsMs: (requests / ratePerSecond) * 1_000,
        easesInMs: 1_000,
      });
      if (!keptUp) say(`Not all of them came in time: ${measured.sent} were sent, ${measured.dropped} dropped`);
      return measured.rssPeakBytes / 2 ** 20;
    }
  },
};

const ratePerSecond = 25_000;
