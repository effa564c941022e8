import { setTimeout as sleep } from 'node:timers/promises';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { codes, MallError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import type { RedisStore } from './redis.ts';

/** A Redis that is not asked while it is known not to answer. */
export type WatchedRedis = {
  /** False from the first failure until Redis has answered a ping. */
  readonly isAlive: boolean;
  readonly command: RedisStore['command'];
  /** To be told of what `command` rejected with, or of an answer that makes no sense. */
  onFailure(error: unknown): void;
};

/**
 * For limiters, which have an answer of their own when Redis has none (governance.md 4.1). One monitor pings every 100 ms after a failure, through
 * the breaker of Redis, so that limiters may return a little later than Redis does. A silent Redis costs a request the time limit of one command,
 * and those that come later nothing.
 */
export function watchRedis({ log, onStop }: Pick<Runtime, 'log' | 'onStop'>, redis: RedisStore): WatchedRedis {
  let isAlive = true;
  let isStopped = false;
  onStop('watching Redis', async () => {
    isStopped = true;
  });

  async function untilItAnswers(): Promise<void> {
    do await sleep(pingEveryMs, undefined, { ref: false });
    while (!isStopped && !(await answersPing(redis)));
    if (isStopped) return;
    isAlive = true;
    log.info('Redis answers again: limits are shared by all processes');
  }

  return {
    get isAlive() {
      return isAlive;
    },
    command: redis.command,
    onFailure(err) {
      if (!isAlive) return;
      isAlive = false;
      log.warn({ err }, 'Redis cannot be asked: until it can, each process limits rates for itself, and quotas are not counted');
      // The pings belong to no request: its deadline and its span are not theirs.
      void context.with(ROOT_CONTEXT, untilItAnswers);
    },
  };
}

/** Whether a command failed because whoever asked has no time left, or has gone: that says nothing about Redis. */
export const isOutOfTime = (thrown: unknown): boolean =>
  thrown instanceof MallError && (thrown.refusedBy === 'deadline' || thrown.code === codes.cancelled);

const pingEveryMs = 100;

const answersPing = (redis: RedisStore): Promise<boolean> =>
  redis
    .command('PING', (client) => client.ping())
    .then(
      (answer) => answer === 'PONG',
      // It has been logged and counted.
      () => false,
    );
