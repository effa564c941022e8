import { expect, test } from 'vitest';
import type { Answer } from '../../../../chaos/canary/line.ts';
import { doubtOf, inquiryOf, signOf } from '../../../../chaos/canary/sign.ts';
import {
  blackHole,
  closeAfter,
  cut,
  type Fault,
  kill,
  pause,
  reset,
  restart,
  silent,
  slice,
  slow,
  slowClose,
  throttle,
} from '../../../../chaos/faults.ts';
import type { Duration, Percent } from '../../../../core/units.ts';

const edge = 'orders->payment';
const direct = answered(2);
const late = (afterMs: number): Answer => ({ kind: 'unanswered', tookMs: afterMs });
const ended = (kind: 'refused' | 'reset' | 'closed', tookMs = 1): Answer => ({ kind, tookMs });

test.each<[Fault, Answer, string]>([
  [slow(edge, { by: '100ms' }), answered(52), 'answered after 52 ms, directly answered after 2.0 ms'],
  [slow(edge, { by: '100ms' }), late(52), 'no answer within 52 ms, directly answered after 2.0 ms'],
  [cut(edge), ended('refused'), 'refused'],
  [cut(edge), ended('closed'), 'closed'],
  [silent(edge), late(252), 'no answer within 252 ms'],
  [silent(edge, { closesAfter: '50ms' }), ended('closed', 50), 'closed'],
  [blackHole(edge), late(252), 'no answer within 252 ms'],
  [reset(edge), ended('reset'), 'reset'],
  // 3,400 bytes at 20 a millisecond take 170 ms.
  [throttle(edge, { kilobytesPerSecond: 20 }), answered(87), 'answered after 87 ms, directly answered after 2.0 ms'],
  [slice(edge, { bytes: 100 }), answered(4, 12), 'answered in 12 pieces, directly in 1'],
  // 34 pieces, 10 ms apart.
  [slice(edge, { bytes: 100, pause: '10ms' }), late(172), 'no answer within 172 ms, directly answered after 2.0 ms'],
  [closeAfter(edge, { bytes: 5_000 }), ended('closed'), 'closed'],
])('%j shows in %j', (fault, through, sign) => {
  expect(signOf(fault, { through, direct }, inquiryOf(fault, 0))).toBe(sign);
});

test.each<[Fault, Answer]>([
  [slow(edge, { by: '100ms' }), answered(51)],
  [slow(edge, { by: '100ms' }), ended('closed', 100)],
  [cut(edge), answered(500)],
  [cut(edge), late(500)],
  [silent(edge), ended('closed', 500)],
  [silent(edge), answered(251)],
  [blackHole(edge), late(251)],
  [reset(edge), ended('closed')],
  [reset(edge), ended('refused')],
  [throttle(edge, { kilobytesPerSecond: 20 }), answered(86)],
  [slice(edge, { bytes: 100 }), answered(400, 2)],
  [closeAfter(edge, { bytes: 5_000 }), answered(2)],
])('%j does not show in %j', (fault, through) => {
  expect(signOf(fault, { through, direct }, inquiryOf(fault, 0))).toBeUndefined();
});

test('who hangs up late is seen against who hangs up at once', () => {
  const fault = slowClose(edge, { by: '500ms' });
  const probe = (through: Answer) => signOf(fault, { through, direct: ended('closed', 1) }, inquiryOf(fault, 0));
  expect(probe(ended('closed', 300))).toBe('closed after 300 ms, directly closed after 1.0 ms');
  expect(probe(late(251))).toBe('not closed within 251 ms, directly closed after 1.0 ms');
  expect(probe(ended('closed', 200))).toBeUndefined();
});

test.each<[Fault, Answer, string | undefined]>([
  [kill('payment'), ended('refused'), 'refused'],
  [kill('payment'), ended('reset'), 'reset'],
  [restart('payment'), ended('closed'), 'closed'],
  [kill('payment'), late(400), undefined],
  [pause('payment'), late(250), 'no answer within 250 ms'],
  [pause('payment'), ended('refused'), undefined],
  [pause('payment'), answered(400), undefined],
])('a process that is asked itself: %j, %j', (fault, through, sign) => {
  expect(signOf(fault, { through }, inquiryOf(fault, 0))).toBe(sign);
});

test.each([late(2_000), ended('refused'), ended('reset')])(
  'a callee that does not answer past the fault either shows nothing: %j',
  (away) => {
    for (const fault of [cut(edge), blackHole(edge), slow(edge, { by: '1s' })]) {
      expect(signOf(fault, { through: late(5_000), direct: away }, inquiryOf(fault, 0))).toBeUndefined();
    }
  },
);

test('a callee that closes both ways at once did not have its wire cut', () => {
  const probe = { through: ended('closed'), direct: ended('closed') };
  expect(signOf(cut(edge), probe, inquiryOf(cut(edge), 0))).toBeUndefined();
});

test('what is busy on both ways is not slow', () => {
  const fault = slow(edge, { by: '100ms' });
  expect(signOf(fault, { through: answered(340), direct: answered(300) }, inquiryOf(fault, 0))).toBeUndefined();
});

test('a delay must stand out from what the calm was like, and one that cannot is doubted from the start', () => {
  const fault = slow(edge, { by: '20ms' });
  expect(inquiryOf(fault, 4).lateMs).toBe(10);
  expect(inquiryOf(fault, 15).lateMs).toBe(15);
  expect(doubtIn(fault, 15)).toBeUndefined();
  expect(doubtIn(fault, 30)).toBe('20 ms later would not stand out: answers were up to 30 ms apart without it');
  expect(doubtIn(cut(edge), 30)).toBeUndefined();
});

test.each<[Fault, string]>([
  [throttle(edge, { kilobytesPerSecond: 20 }), 'answers are too short here to show it'],
  [slice(edge, { bytes: 100, pause: '5ms' }), 'answers are too short here to show it'],
  [closeAfter(edge, { bytes: 5_000 }), 'answers are too short here to show it'],
])('%j is doubted where no long answer is to be had', (fault, doubt) => {
  expect(doubtIn(fault, 0, true)).toBe(doubt);
  expect(doubtIn(fault, 0, false)).toBeUndefined();
});

test.each<[Fault, string]>([
  [slice(edge, { bytes: 5_000, pause: '5ms' }), 'answers of 3400 bytes are not cut into pieces of 5000'],
  [slice(edge, { bytes: 100 }), 'pieces that follow each other at once are often read as one'],
  [closeAfter(edge, { bytes: 2_000_000 }), 'no connection was asked for more than 1020000 bytes'],
])('%j is doubted anywhere', (fault, doubt) => {
  expect(doubtIn(fault)).toBe(doubt);
});

test('the smaller a delay is, the more often it has to be seen: a hiccup is not a fault', () => {
  const signs = (fault: Fault) => inquiryOf(fault, 0).signsInARow;
  const slowBy = (by: Duration) => signs(slow(edge, { by }));
  expect([slowBy('2ms'), slowBy('100ms'), slowBy('200ms'), slowBy('400ms'), slowBy('500ms')]).toEqual([5, 5, 3, 2, 1]);
  expect([signs(cut(edge)), signs(blackHole(edge)), signs(reset(edge))]).toEqual([1, 1, 1]);
});

test('what does not show in every answer is gone only after as many without it as make it unlikely to be there', () => {
  const fines = (fault: Fault) => inquiryOf(fault, 0).finesInARow;
  expect([fines(slow(edge, { by: '1s' })), fines(cut(edge)), fines(blackHole(edge)), fines(kill('payment'))]).toEqual([1, 1, 1, 1]);
  expect(['100%', '50%', '10%', '0%'].map((toxicity) => fines(blackHole(edge, { toxicity: toxicity as Percent })))).toEqual([1, 7, 44, 44]);
  // Of delays from 10 to 190 ms two in nine are below 50.
  expect(fines(slow(edge, { by: '100ms', jitter: '90ms' }))).toBe(4);
  expect([fines(slice(edge, { bytes: 20 })), fines(slice(edge, { bytes: 20, pause: '5ms' }))]).toEqual([44, 1]);
});

test('silence is waited for longer where answers are slow anyway', () => {
  expect([inquiryOf(blackHole(edge), 2).lateMs, inquiryOf(blackHole(edge), 100).lateMs]).toEqual([250, 500]);
});

test('a fault that is drawn for each connection is looked for on new ones, and so is one that only they feel', () => {
  const asked = (fault: Fault) => inquiryOf(fault, 0).needsNewLine;
  expect([slow(edge, { by: '1s' }), slow(edge, { by: '1s', toxicity: '30%' }), reset(edge), cut(edge)].map(asked)).toEqual([
    false,
    true,
    true,
    false,
  ]);
});

function doubtIn(fault: Fault, calmMs = 0, hasShortAnswers = false): string | undefined {
  return doubtOf(fault, { calmMs, inquiry: inquiryOf(fault, calmMs), hasShortAnswers });
}

function answered(tookMs: number, pieces = 1): Answer {
  return { kind: 'answered', tookMs, pieces };
}
