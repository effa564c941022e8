import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { outcomeOfGrpc } from '../../../../harness/drivers/grpc-outcome.ts';

const named = { OK: 'ok', RESOURCE_EXHAUSTED: 'shed', UNAVAILABLE: 'unavailable', DEADLINE_EXCEEDED: 'deadline' };

test.each(Object.entries(named))('%s is %s', (name, outcome) => {
  expect(outcomeOfGrpc(status[name as keyof typeof named])).toBe(outcome);
});

test('every other status has failed, also one that nobody knows', () => {
  const others = Object.values(status).filter((code) => typeof code === 'number' && !((status[code] as string) in named));
  expect(others).toHaveLength(13);
  for (const code of [...others, 17, 99]) expect(outcomeOfGrpc(code as number)).toBe('failed');
});
