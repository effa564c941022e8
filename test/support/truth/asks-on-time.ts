import { connect, type Socket } from 'node:net';
import type { Contestant } from '../../../bench/truth/contestant.ts';
import { percentile } from '../../../bench/truth/truth.ts';
import { monotonic, waitUntil } from '../../../core/time.ts';

/**
 * The least that can tell the truth: a millisecond timer asks for all that is due, each on a connection of its own that nobody else waits for, and
 * times count from when a request was due. It is a thread of the test, so it is late by a millisecond or two.
 */
export const asksOnTime: Contestant = {
  name: 'asks on time',
  version: async () => '1.0.0',
  run: async ({ url, lastsMs, ratePerSecond, timeoutMs }, signal) => {
    const idle: Socket[] = [];
    const open = new Set<Socket>();
    const tookMs: number[] = [];
    const plan = Math.round((ratePerSecond * lastsMs) / 1_000);
    const [counts, startMs] = [{ sent: 0, answered: 0, broken: 0, timeouts: 0 }, monotonic()];
    const ended = () => counts.answered + counts.broken + counts.timeouts;
    const dueMs = (i: number) => startMs + ((i + 0.5) * 1_000) / ratePerSecond;

    const timer = setInterval(() => {
      while (counts.sent < plan && dueMs(counts.sent) <= monotonic()) ask(dueMs(counts.sent++));
    }, 1);
    try {
      await waitUntil(
        { timeoutMs: lastsMs + timeoutMs + 5_000, signal, describe: () => `${ended()} of ${plan} ended` },
        () => ended() === plan,
      );
    } finally {
      clearInterval(timer);
      for (const socket of open) socket.destroy();
    }
    const [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map((share) => percentile(tookMs, share) ?? 0);
    const percentilesMs = { p50, p90, p99, p999 } as Record<string, number>;
    const { sent, answered, broken, timeouts } = counts;
    return {
      percentilesMs,
      planned: plan,
      sent,
      answered,
      timeouts,
      errors: { broken },
      cpuMs: 0,
      rssPeakBytes: process.memoryUsage.rss(),
    };

    function ask(fromMs: number) {
      const socket = idle.pop() ?? dial();
      const end = (how: 'answered' | 'broken' | 'timeouts') => {
        socket.removeAllListeners('data').removeAllListeners('close').removeAllListeners('timeout').setTimeout(0);
        counts[how] += 1;
        if (how !== 'broken') tookMs.push(monotonic() - fromMs);
        if (how === 'answered') idle.push(socket);
        else socket.destroy();
      };
      socket.once('data', () => end('answered'));
      socket.once('close', () => end('broken'));
      socket.setTimeout(timeoutMs, () => end('timeouts'));
      socket.write('GET / HTTP/1.1\r\nHost: truth\r\n\r\n');
    }

    function dial(): Socket {
      const { hostname, port } = new URL(url);
      const socket = connect({ host: hostname, port: Number(port), noDelay: true });
      open.add(socket);
      // What went wrong is followed by 'close', which counts.
      socket.on('error', () => {});
      return socket;
    }
  },
};
