import { connectivityState, Metadata, status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { breakOf } from '../../../../../harness/drivers/grpc/made-up.ts';

const refused = 'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ';

describe('without headers before it', () => {
  test.each([
    [
      refused,
      { code: 'ECONNREFUSED', message: 'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1', wasWritten: true },
    ],
    ['Name resolution failed for target dns:nowhere:1', { code: 'ENOTFOUND' }],
    ['Connection dropped', { code: 'ECONNRESET', wasWritten: true }],
    ['Write error: write EPIPE', { code: 'EPIPE', wasWritten: false }],
    ['Write error: This stream has been ended', { code: 'ECONNRESET', wasWritten: false }],
    ['read ECONNRESET', { code: 'ECONNRESET' }],
    ['Received RST_STREAM with code 2 (Internal server error)', { code: 'ECONNRESET' }],
    ['Stream refused by server', { code: 'ECONNRESET' }],
    ['connect EAI_AGAIN somewhere', { code: 'EAI_AGAIN' }],
    ['something new', { code: undefined, message: 'something new' }],
  ])("'%s' is made up", (details, told) => {
    expect(seen(details)).toMatchObject(told);
  });

  test.each([refused, 'Connection dropped', 'overloaded', ''])("'%s' with a content-type is the server's own", (details) => {
    expect(seen(details, { metadata: { 'content-type': 'application/grpc' } })).toBeUndefined();
  });
});

describe('with headers before it', () => {
  test.each(['Connection dropped', 'read ECONNRESET', 'Write error: write EPIPE'])(
    "'%s' is made up when the connection is gone",
    (details) => {
      expect(seen(details, { hasHeaders: true, state: connectivityState.IDLE })).toBeDefined();
      expect(seen(details, { hasHeaders: true, state: connectivityState.READY })).toBeUndefined();
    },
  );

  test.each([
    ['Received RST_STREAM with code 8', 'ECONNRESET'],
    ['Call cancelled', 'ECONNRESET'],
    ['Received message larger than max (99 vs 4)', 'BAD_MESSAGE'],
  ])("'%s' is made up on a connection that goes on, unless there are trailers", (details, code) => {
    expect(seen(details, { hasHeaders: true })).toMatchObject({ code });
    expect(seen(details, { hasHeaders: true, metadata: { 'x-any': 'trailer' } })).toBeUndefined();
  });

  test.each([refused, 'overloaded', ''])("'%s' is the server's own", (details) => {
    expect(seen(details, { hasHeaders: true, state: connectivityState.IDLE })).toBeUndefined();
  });
});

function seen(details: string, { metadata = {}, hasHeaders = false, state = connectivityState.READY } = {}) {
  const trailers = new Metadata();
  for (const [name, value] of Object.entries(metadata)) trailers.set(name, value as string);
  return breakOf({ code: status.UNAVAILABLE, details, metadata: trailers }, { hasHeaders, channel: { getConnectivityState: () => state } });
}
