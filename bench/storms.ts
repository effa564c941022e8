import { startEmbedded } from '../chaos/embedded/start.ts';
import type { Bench } from './figure.ts';
import { playStorm, type StormSeen } from './storm.ts';

/**
 * Seeded storms of toxics against echoes behind the embedded server: nothing may be left of any. `STORMS=20` for fewer, `STORM_SEED=7` begins
 * with another seed than 1. Several at a time, each with a server process to itself, so that what is left over is its own.
 */
export const bench: Bench = {
  about: 'Storms of toxics against an echo behind the embedded Toxiproxy server, and what they leave behind',
  async measure(say) {
    await using undo = new AsyncDisposableStack();
    const seeds = Array.from({ length: Number(process.env.STORMS ?? 200) }, (_, index) => firstSeed + index);
    const storms: StormSeen[] = [];
    const lanes = Array.from({ length: Math.min(atOnce, seeds.length) }, async () => {
      const { controlUrl, close } = await startEmbedded({ signal: AbortSignal.timeout(20_000), runtimeMetrics: true });
      undo.defer(close);
      for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
        const storm = await playStorm({ controlUrl, seed, lastsMs });
        storms.push(storm);
        say(`storm ${seed}: ${storm.calls} calls, ${storm.connections} connections, ${storm.leftovers.length} leftovers`);
        for (const leftover of storm.leftovers) say(`  ${leftover}`);
      }
    });
    await Promise.all(lanes);

    const sum = (read: (storm: StormSeen) => number) => storms.reduce((total, storm) => total + read(storm), 0);
    return [
      { name: 'storms', value: storms.length, unit: '' },
      {
        name: 'storms with a leftover',
        value: storms.filter(({ leftovers }) => leftovers.length > 0).length,
        unit: '',
        goal: { atMost: 0 },
      },
      { name: 'control calls', value: sum(({ calls }) => calls), unit: '' },
      { name: 'the slowest of them', value: Math.max(...storms.map(({ slowestCallMs }) => slowestCallMs)), unit: 'ms' },
      { name: 'connections', value: sum(({ connections }) => connections), unit: '' },
      { name: 'echoed', value: sum(({ echoedBytes }) => echoedBytes) / 1e6, unit: 'MB' },
    ];
  },
};

const atOnce = 8;
const lastsMs = 3_000;
const firstSeed = Number(process.env.STORM_SEED ?? 1);
