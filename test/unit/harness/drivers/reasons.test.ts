import { expect, test } from 'vitest';
import { grpcStatusInWords } from '../../../../harness/drivers/grpc-outcome.ts';
import { createReasons, type Reason, reasonOf, reasonsTogether, Thrown } from '../../../../harness/drivers/reasons.ts';
import type { Reply } from '../../../../harness/drivers/transport.ts';

const failed = { phase: 0, step: 0, outcome: 'failed', atMs: 10 } as const;

test('of each phase, step and outcome the first reason is kept, and nobody is asked for another', () => {
  const reasons = createReasons();
  reasons.add(failed, () => 'status 500');
  reasons.add({ ...failed, atMs: 20 }, () => expect.fail('the reason is known'));
  for (const other of [{ phase: 1 }, { step: 1 }, { outcome: 'reset' }] as const) reasons.add({ ...failed, ...other }, () => 'another');
  expect(reasons.all()).toEqual([
    { ...failed, first: 'status 500' },
    { ...failed, phase: 1, first: 'another' },
    { ...failed, step: 1, first: 'another' },
    { ...failed, outcome: 'reset', first: 'another' },
  ]);
});

test('where there is nothing to tell the next one may tell it', () => {
  const reasons = createReasons();
  reasons.add(failed, () => undefined);
  expect(reasons.all()).toEqual([]);
  reasons.add({ ...failed, atMs: 20 }, () => 'status 500');
  expect(reasons.all()).toEqual([{ ...failed, atMs: 20, first: 'status 500' }]);
});

test.each([
  ['\u001b[2Jgone\r\n', '[2Jgone'],
  ['x'.repeat(200), 'x'.repeat(200)],
  ['x'.repeat(201), `${'x'.repeat(199)}…`],
  [`${'x'.repeat(198)}😀y`, `${'x'.repeat(198)}…`],
])('a reason is one line of up to 200 characters: %j', (message, first) => {
  const reasons = createReasons();
  reasons.add(failed, () => message);
  expect(reasons.all()[0]?.first).toBe(first);
});

test('of several threads the first of all is told', () => {
  const [late, early, other]: Reason[] = [
    { ...failed, atMs: 30, first: 'late' },
    { ...failed, atMs: 20, first: 'early' },
    { ...failed, step: 1, atMs: 40, first: 'other' },
  ];
  expect(reasonsTogether([[late, other], [], [early]].map((thread) => thread.flatMap((reason) => reason ?? [])))).toEqual([early, other]);
});

const stamps = { writtenMs: 0, firstByteMs: 1, endedMs: 2 };
const broken = (code: string | undefined, message: string): Reply => ({ kind: 'broken', code, message, ...stamps });
const answered = (status: number, details?: string): Reply => ({
  ...{ kind: 'answered', status, header: () => details, headers: () => [], text: '', ...stamps },
});

test.each<[string, Reply, unknown, string | undefined]>([
  [
    'a connection says itself what is wrong',
    broken('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed certificate'),
    true,
    'self-signed certificate',
  ],
  [
    'Node gives advice',
    broken('X', 'unable to verify; if the root CA is installed locally, try running Node.js with --use-system-ca'),
    true,
    'unable to verify',
  ],
  [
    'grpc-js tells when it was',
    broken('X', 'No connection established. Last error: Protocol error (2026-11-21T15:29:30.425Z)'),
    true,
    'No connection established. Last error: Protocol error',
  ],
  ['or has a code at least', broken('ECONNREFUSED', ''), true, 'ECONNREFUSED'],
  [
    'OpenSSL says it among other things',
    broken('EPROTO', 'write EPROTO 80DB:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../deps/a.c:84:\n'),
    true,
    'TLS: wrong version number',
  ],
  ['an answer has a status', answered(500), true, 'status 500'],
  ['an answer was not accepted', answered(200), false, 'accepts said no'],
  ['an answer made accepts throw', answered(200), new Thrown(new Error('no id')), 'accepts threw: no id'],
  ['accepts gave what is no answer', answered(200), 'yes', 'accepts said neither true nor false, but gave a value of type string'],
  ['accepts gave nothing', answered(200), undefined, 'accepts said neither true nor false, but gave undefined'],
  ['nothing came in time', { kind: 'timedOut', ...stamps }, true, undefined],
])('%s', (_, reply, verdict, reason) => {
  expect(reasonOf(reply, verdict)).toBe(reason);
});

test.each([
  [8, 'no seats left', 'RESOURCE_EXHAUSTED: no seats left'],
  [12, undefined, 'UNIMPLEMENTED'],
  [99, '', 'status 99'],
])('gRPC tells status %d by its name, with what the server says besides', (status, details, reason) => {
  expect(reasonOf(answered(status, details), true, grpcStatusInWords)).toBe(reason);
});
