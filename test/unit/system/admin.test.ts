import { afterEach, expect, test, vi } from 'vitest';
import { adminAnswer } from '../../../system/admin.ts';
import { testRuntime } from '../../support/runtime.ts';

afterEach(() => vi.useRealTimers());

test('a process is ready when all it depends on answers', async () => {
  const runtime = testRuntime('orders');
  runtime.addCheck('mysql', async () => {});
  expect(await adminAnswer(runtime, '/ready')).toMatchObject({ status: 200, body: '{"status":"ready","failing":{}}' });
});

test('what does not answer is named, and not waited for beyond a second', async () => {
  vi.useFakeTimers();
  const runtime = testRuntime('orders');
  runtime.addCheck('mysql', async () => {});
  runtime.addCheck('redis', async () => {
    throw new Error('refused');
  });
  runtime.addCheck('payment', () => new Promise(() => {}));
  const answer = adminAnswer(runtime, '/ready');
  await vi.advanceTimersByTimeAsync(1_000);
  const { status, body } = await answer;
  expect([status, JSON.parse(body).failing]).toEqual([503, { redis: 'refused', payment: 'No answer within 1000 ms' }]);
});

test('a process that lives is healthy, whatever it depends on', async () => {
  const runtime = testRuntime('orders');
  runtime.addCheck('mysql', () => Promise.reject(new Error('gone')));
  expect(await adminAnswer(runtime, '/health')).toMatchObject({ status: 200 });
});
