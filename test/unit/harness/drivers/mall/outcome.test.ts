import { expect, test } from 'vitest';
import { outcomeOfAnswer } from '../../../../../harness/drivers/mall/outcome.ts';

test.each([
  [{ status: 200 }, 'ok'],
  [{ status: 201 }, 'ok'],
  [{ status: 202 }, 'degraded'],
  [{ status: 409, code: 3004 }, 'outOfStock'],
  [{ status: 409, code: 4003 }, 'failed'],
  [{ status: 409 }, 'failed'],
  [{ status: 503, refusedBy: 'shedding' }, 'shed'],
  [{ status: 503, refusedBy: 'breaker' }, 'breakerOpen'],
  [{ status: 503 }, 'unavailable'],
  [{ status: 503, refusedBy: 'something new' }, 'unavailable'],
  [{ status: 429, refusedBy: 'limit' }, 'limited'],
  [{ status: 503, refusedBy: 'connections' }, 'limited'],
  [{ status: 429 }, 'limited'],
  [{ status: 504, refusedBy: 'deadline' }, 'deadline'],
  [{ status: 504 }, 'deadline'],
  [{ status: 500 }, 'failed'],
  [{ status: 404 }, 'failed'],
  [{ status: 401 }, 'failed'],
  [{ status: 302 }, 'failed'],
])('the answer %o is %s', (answer, outcome) => {
  expect(outcomeOfAnswer(answer)).toBe(outcome);
});
