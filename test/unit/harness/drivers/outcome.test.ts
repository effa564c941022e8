import { expect, test } from 'vitest';
import { outcomeOfError, outcomeOfStatus } from '../../../../harness/drivers/outcome.ts';

test.each([
  [200, 'ok'],
  [204, 'ok'],
  [304, 'ok'],
  [400, 'failed'],
  [404, 'failed'],
  [429, 'limited'],
  [500, 'failed'],
  [503, 'shed'],
  [504, 'deadline'],
])('the status %i alone is %s', (status, outcome) => {
  expect(outcomeOfStatus(status)).toBe(outcome);
});

test.each([
  ['ECONNREFUSED', 'refused'],
  ['ENOTFOUND', 'refused'],
  ['ECONNRESET', 'reset'],
  ['EPIPE', 'reset'],
  ['ETIMEDOUT', 'timeout'],
  ['EMFILE', 'dropped'],
  ['ENFILE', 'dropped'],
  ['EADDRNOTAVAIL', 'dropped'],
  ['NOT_HTTP', 'failed'],
  [undefined, 'failed'],
])('the error %s is %s', (code, outcome) => {
  expect(outcomeOfError(code)).toBe(outcome);
});
