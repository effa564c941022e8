import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { counter, measure } from '../../../../harness/drivers/ledger/ledger.ts';
import type { Reply } from '../../../../harness/drivers/transport.ts';
import { createVisits, type Settled } from '../../../../harness/drivers/visits.ts';
import { type Answer, type Ask, get, type Visitor } from '../../../../harness/journey.ts';
import { type RequestOutcome, requestOutcomes } from '../../../../harness/record.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a request has five stamps, and response, service, first byte, queue and lag are what lies between them', async () => {
  const target = lived(async ({ step }) => void (await step('list', get('/'))));
  target.wait(30);
  target.visit({ intendedMs: 10 });
  target.wait(5);
  await target.answer({ writtenMs: 37, firstByteMs: 90, endedMs: 110 });
  expect(target.noted).toEqual([
    { window: 10, measure: 'lag', step: 'list', outcome: 'ok', ms: 20 },
    { window: 10, measure: 'response', step: 'list', outcome: 'ok', ms: 100 },
    { window: 10, measure: 'queue', step: 'list', outcome: 'ok', ms: 7 },
    { window: 10, measure: 'service', step: 'list', outcome: 'ok', ms: 73 },
    { window: 10, measure: 'firstByte', step: 'list', outcome: 'ok', ms: 53 },
  ]);
  expect(target.left()).toBe(1);
});

test('a step after another one is meant to start when that has ended, and nobody can be late for it', async () => {
  const target = lived(async ({ step }) => {
    await step('list', get('/'));
    await step('buy', get('/'));
  });
  target.visit({ intendedMs: 0 });
  target.wait(50);
  await target.answer({ writtenMs: 0, endedMs: 40 });
  target.wait(20);
  await target.answer({ writtenMs: 50, firstByteMs: 58, endedMs: 70 });
  // The 10 ms before the generator heard of the first answer are part of the response, for the visitor was ready.
  expect(target.of('buy')).toEqual([
    { window: 40, measure: 'response', step: 'buy', outcome: 'ok', ms: 30 },
    { window: 40, measure: 'queue', step: 'buy', outcome: 'ok', ms: 0 },
    { window: 40, measure: 'service', step: 'buy', outcome: 'ok', ms: 20 },
    { window: 40, measure: 'firstByte', step: 'buy', outcome: 'ok', ms: 8 },
  ]);
  expect(target.ofMeasure('lag')).toEqual([0]);
});

test('a step after a thought is meant to start when the thought is over, and who comes later than timers are lags', async () => {
  const target = lived(async ({ step, think }) => {
    await step('list', get('/'));
    await think('1s');
    await step('buy', get('/'));
  });
  target.visit({ intendedMs: 0 });
  await target.answer({ writtenMs: 0, endedMs: 40 });
  await target.sleep(1_039);
  expect(target.asked()).toBe(1);
  // The loop was busy: the timer fires 26 ms late.
  target.wait(26);
  await target.sleep(1);
  expect(target.asked()).toBe(2);
  await target.answer({ writtenMs: 1_066, firstByteMs: 1_090, endedMs: 1_100 });
  // One of them is how timers count.
  expect(target.ofMeasure('lag')).toEqual([0, 25]);
  expect(target.of('buy')).toMatchObject([
    { measure: 'response', window: 1_041, ms: 59 },
    { measure: 'queue', ms: 0 },
    { measure: 'service', ms: 34 },
    { measure: 'firstByte', ms: 24 },
  ]);
});

test('a timer that is early by a fraction of a millisecond makes no response look shorter than its service', async () => {
  const target = lived(async ({ step, think }) => {
    await think('10ms');
    await step('list', get('/'));
  });
  target.visit({ intendedMs: 0 });
  target.wait(-0.4);
  await target.sleep(10);
  await target.answer({ writtenMs: 9.6, firstByteMs: 14.6, endedMs: 14.6 });
  expect(target.noted.map(({ measure, ms }) => [measure, ms])).toEqual([
    ['lag', 0],
    ['response', 5],
    ['queue', 0],
    ['service', 5],
    ['firstByte', 5],
  ]);
});

test('a thought between two times is drawn evenly, from a stream of the visitor alone', async () => {
  const thoughts = (answersMs: readonly number[]) => {
    const drawn = new Map<number, number[]>();
    const target = lived(async ({ number, random }) => void drawn.set(number, [random(), random()]));
    for (const number of answersMs) target.visit({ number, intendedMs: 0 });
    return drawn;
  };
  const [forth, back] = [thoughts([0, 1, 2]), thoughts([2, 1, 0])];
  for (const number of [0, 1, 2]) expect(forth.get(number)).toEqual(back.get(number));
  expect(new Set([...forth.values()].flat()).size).toBe(6);

  const target = lived(async ({ step, think }) => {
    await think('1s', '3s');
    await step('list', get('/'));
  });
  for (let number = 0; number < 400; number++) target.visit({ number, intendedMs: 0 });
  await target.sleep(999);
  expect(target.asked()).toBe(0);
  await target.sleep(1_001);
  expect(target.asked()).toBeGreaterThan(150);
  expect(target.asked()).toBeLessThan(250);
  expect(target.listeners()).toBe(400 - target.asked());
  await target.sleep(1_000);
  expect([target.asked(), target.listeners()]).toEqual([400, 0]);
});

test('the same number in another phase chooses otherwise', () => {
  const drawn: number[] = [];
  const target = lived(async ({ random }) => void drawn.push(random()));
  for (const phase of [0, 1]) target.visit({ number: 0, phase, intendedMs: 0 });
  expect(new Set(drawn).size).toBe(2);
});

test('a timeout is recorded with the time limit, and its answer is empty', async () => {
  const answers: Answer[] = [];
  const target = lived(async ({ step }) => void answers.push(await step('list', get('/'))));
  target.visit({ intendedMs: 0 });
  await target.answer({ kind: 'timedOut', writtenMs: 1, firstByteMs: Number.NaN, endedMs: 5_000 });
  expect(target.of('list')).toEqual([
    { window: 0, measure: 'lag', step: 'list', outcome: 'ok', ms: 0 },
    { window: 0, measure: 'response', step: 'list', outcome: 'timeout', ms: 5_000 },
    { window: 0, measure: 'queue', step: 'list', outcome: 'timeout', ms: 1 },
    { window: 0, measure: 'service', step: 'list', outcome: 'timeout', ms: 4_999 },
  ]);
  const [{ json, header, ...answer } = {} as Answer] = answers;
  expect(answer).toMatchObject({ outcome: 'timeout', status: 0 });
  expect([json(), header('date'), answers[0]?.text, answers[0]?.message]).toEqual([undefined, undefined, '', undefined]);
});

test('what was never written had no service, only a wait', async () => {
  const target = lived(async ({ step }) => void (await step('list', get('/'))));
  target.visit({ intendedMs: 0 });
  await target.answer({ kind: 'broken', code: 'ECONNREFUSED', message: 'no', writtenMs: Number.NaN, endedMs: 8 });
  expect(target.of('list')).toEqual([
    { window: 0, measure: 'lag', step: 'list', outcome: 'ok', ms: 0 },
    { window: 0, measure: 'response', step: 'list', outcome: 'failed', ms: 8 },
    { window: 0, measure: 'queue', step: 'list', outcome: 'failed', ms: 8 },
  ]);
});

test('an answer that began and never ended has a first byte, and one that never began has none', async () => {
  const target = lived(async ({ step }) => void (await Promise.all([step('list', get('/')), step('list', get('/'))])));
  target.visit({ intendedMs: 0 });
  await target.answer({ kind: 'timedOut', writtenMs: 1, firstByteMs: 4, endedMs: 5_000 });
  await target.answer({ kind: 'broken', code: 'ECONNRESET', message: 'no', writtenMs: 1, firstByteMs: Number.NaN, endedMs: 9 });
  expect(target.noted.filter(({ measure }) => measure === 'firstByte')).toEqual([
    { window: 0, measure: 'firstByte', step: 'list', outcome: 'timeout', ms: 3 },
  ]);
  expect(target.ofMeasure('service')).toEqual([4_999, 8]);
});

test('an answer that began before the request was written whole came at once', async () => {
  const target = lived(async ({ step }) => void (await step('list', get('/'))));
  target.visit({ intendedMs: 0 });
  await target.answer({ writtenMs: 30, firstByteMs: 20, endedMs: 90 });
  expect([target.ofMeasure('firstByte'), target.ofMeasure('service')]).toEqual([[0], [60]]);
});

test('an answer can be taken apart', async () => {
  const seen: unknown[] = [];
  const target = lived(async ({ step }) => {
    const { outcome, status, header, text, json } = await step('list', get('/'));
    seen.push(outcome, status, header('x-id'), text, json());
  });
  target.visit({ intendedMs: 0 });
  await target.answer({ text: '{"id":7}' });
  expect(seen).toEqual(['ok', 200, '<x-id>', '{"id":7}', { id: 7 }]);
});

test.each<[string, (answer: Answer) => boolean, Partial<Reply>, RequestOutcome]>([
  ['accepted', ({ json }) => (json() as { id: number }).id === 7, { text: '{"id":7}' }, 'ok'],
  ['not accepted', ({ text }) => text === 'sold', { text: 'sold out' }, 'wrongAnswer'],
  ['an answer that nobody could look at', ({ json }) => (json() as { id: { of: number } }).id.of > 0, { text: '{}' }, 'wrongAnswer'],
  ['no answer', () => false, { kind: 'timedOut' }, 'timeout'],
  ['refused', () => false, { status: 500 }, 'failed'],
])('what was %s ends as such', async (_, accepts, reply, outcome) => {
  const told: RequestOutcome[] = [];
  const target = lived(async ({ step }) => void told.push((await step('list', get('/'), { accepts })).outcome));
  target.visit({ intendedMs: 0 });
  await target.answer({ writtenMs: 0, endedMs: 1, ...reply });
  expect(told).toEqual([outcome]);
  expect(target.of('list').at(-1)?.outcome).toBe(outcome);
  expect(target.ended).toEqual([outcome]);
  expect(target.stumbles).toEqual([]);
});

test('of a request without a good answer it is told why, and of no other', async () => {
  const target = lived(async ({ step, number }) => {
    await step(number < 2 ? 'list' : 'buy', get('/'), { accepts: ({ json }) => (json() as { id: number }).id === 1 });
  });
  for (const number of [0, 1, 2, 3]) target.visit({ number, intendedMs: 0 });
  target.wait(30);
  await target.answer({ text: '{"id":1}' });
  await target.answer({ status: 500 });
  await target.answer({ text: '{"id":2}' });
  await target.answer({ text: 'sorry' });
  expect(target.reasons).toEqual([
    { step: 0, outcome: 'failed', intendedMs: 0, endedMs: 30, why: 'status 500' },
    { step: 1, outcome: 'wrongAnswer', intendedMs: 0, endedMs: 30, why: 'accepts said no' },
    {
      step: 1,
      outcome: 'wrongAnswer',
      intendedMs: 0,
      endedMs: 30,
      why: expect.stringMatching(/^accepts threw: Cannot read properties of undefined/),
    },
  ]);
});

test('who is asked to accept and answers with a promise has made a mistake, and accepts nothing', async () => {
  for (const accepts of [async () => true, async () => Promise.reject(new Error('no seat'))] as unknown as ((
    answer: Answer,
  ) => boolean)[]) {
    for (const visit of [
      async ({ step }: Visitor) => void (await step('list', get('/'), { accepts })),
      async ({ step }: Visitor) => void step('list', get('/'), { accepts }),
    ]) {
      const target = lived(visit);
      target.visit({ intendedMs: 0 });
      await target.answer();
      expect(target.ended).toEqual(['wrongAnswer']);
      expect(target.stumbles).toEqual(["Expected 'accepts' of 'list' to answer true or false, got a promise"]);
      expect(target.left()).toBe(1);
    }
  }
});

test.each<[string, (visitor: Visitor) => Promise<void>, string]>([
  [
    'asks for what cannot be sent, and awaits it later',
    async ({ step, think }) => {
      const asked = step('list', get('no slash'));
      await think('0s');
      await asked;
    },
    'got no slash',
  ],
  ['asks for what cannot be sent, and awaits it never', async ({ step }) => void step('list', get('no slash')), 'got no slash'],
  ['swallows that it cannot be sent', async ({ step }) => void (await step('list', get('no slash')).catch(() => {})), 'got no slash'],
  [
    'asks for nothing',
    async ({ step }) => void (await step('list', undefined as never)),
    "Expected step 'list' to have a request such as get('/products'), got nothing",
  ],
  [
    'misspells an option of a step',
    async ({ step }) => void (await step('list', get('/'), { accept: () => false } as never)),
    "Expected the options of 'list' to have 'accepts' only, got 'accept'",
  ],
  [
    'misspells an option beside a right one, and swallows it',
    async ({ step }) => void (await step('list', get('/'), { accepts: () => true, timeout: '1s' } as never).catch(() => {})),
    "Expected the options of 'list' to have 'accepts' only, got 'timeout'",
  ],
  [
    'accepts by what is no function',
    async ({ step }) => void (await step('list', get('/'), { accepts: 'yes' as never })),
    "Expected 'accepts' of 'list' to be a function, got 'yes'",
  ],
  [
    'has a function for options',
    async ({ step }) => void (await step('list', get('/'), (() => true) as never)),
    "Expected the options of 'list' to be an object, got a function",
  ],
  [
    'thinks backwards',
    async ({ think }) => void (await think('3s', '1s')),
    "Expected the second time of think not to be below the first, got '3s' and '1s'",
  ],
  ['throws later', async ({ step }) => void JSON.parse((await step('list', get('/'))).text), 'is not valid JSON'],
  [
    'throws at once',
    () => {
      throw new Error('not today');
    },
    'not today',
  ],
  ['is not even async', (() => undefined) as never, ''],
  ['throws what is no error', async () => Promise.reject('a word'), 'a word'],
  ['takes a step that it does not have', async ({ step }) => void (await step('lst', get('/'))), "(list, buy), got 'lst'"],
  ['thinks for no duration', async ({ think }) => think('1' as '1s'), "got '1'"],
  ['asks for what cannot be sent', async ({ step }) => void (await step('list', get('no slash'))), 'got no slash'],
])('a journey that %s stumbles, and only that visitor with it', async (_, visit, message) => {
  const target = lived((visitor) => (visitor.number === 0 ? visit(visitor) : wholesome(visitor)));
  target.visit({ number: 0, intendedMs: 0 });
  target.visit({ number: 1, intendedMs: 0 });
  await target.answer({ text: 'x' });
  await target.answer({ text: 'x' });
  expect(target.left()).toBe(2);
  expect(target.stumbles.join()).toContain(message);
  expect(target.stumbles.length).toBe(message === '' ? 0 : 1);
  expect(target.counted.sent).toBe(target.ofMeasure('response').length);
});

test('steps that are taken at once start together, and whoever comes after them waits for the slowest', async () => {
  const target = lived(async ({ step }) => {
    await Promise.all([step('list', get('/a')), step('list', get('/b'))]);
    await step('buy', get('/c'));
  });
  target.visit({ intendedMs: 0 });
  target.wait(90);
  await target.answer({ writtenMs: 0, endedMs: 80 });
  await target.answer({ writtenMs: 0, endedMs: 20 });
  await target.answer({ writtenMs: 90, endedMs: 100 });
  expect(target.ofMeasure('lag')).toEqual([0]);
  expect(target.ofMeasure('response')).toEqual([80, 20, 20]);
  expect(target.of('buy')[0]?.window).toBe(80);
  expect(target.left()).toBe(1);
});

test('a visitor who does not wait for an answer is there until it has come', async () => {
  const target = lived(async ({ step, think }) => void (await Promise.race([step('list', get('/')), think('5ms')])));
  target.visit({ intendedMs: 0 });
  await target.sleep(5);
  expect(target.left()).toBe(0);
  await target.answer({ writtenMs: 0, endedMs: 90 });
  expect(target.left()).toBe(1);
  expect(target.ofMeasure('response')).toEqual([90]);
});

test('a step beside a thought starts when it is sent, not when the thought is over', async () => {
  const target = lived(async ({ step, think }) => void (await Promise.all([think('1s'), step('list', get('/'))])));
  target.visit({ intendedMs: 0 });
  await target.answer({ writtenMs: 0, endedMs: 90 });
  expect(target.ofMeasure('response')).toEqual([90]);
});

test('a step beside a thought that is awaited after it is counted from its plan, and the next one from the end of the thought', async () => {
  const target = lived(async ({ step, think }) => {
    const pace = think('1s');
    await step('list', get('/'));
    await pace;
    await step('buy', get('/'));
  });
  // The generator is late.
  target.wait(400);
  target.visit({ intendedMs: 0 });
  await target.answer({ writtenMs: 400, endedMs: 420 });
  expect([target.ofMeasure('lag'), target.ofMeasure('response')]).toEqual([[400], [420]]);
  // And once more.
  await target.sleep(599);
  target.wait(31);
  await target.sleep(1);
  await target.answer({ writtenMs: 1_031, endedMs: 1_041 });
  expect([target.ofMeasure('lag'), target.ofMeasure('response')]).toEqual([
    [400, 30],
    [420, 40],
  ]);
});

test('a step that waited for an answer longer than for a thought beside it has no plan to be late for', async () => {
  const target = lived(async ({ step, think }) => {
    await Promise.all([think('10ms'), step('list', get('/'))]);
    await step('buy', get('/'));
  });
  target.visit({ intendedMs: 0 });
  await target.sleep(10);
  target.wait(90);
  await target.answer({ writtenMs: 0, endedMs: 80 });
  await target.answer({ writtenMs: 100, endedMs: 110 });
  expect(target.ofMeasure('lag')).toEqual([0]);
  expect(target.of('buy')[0]).toMatchObject({ measure: 'response', window: 80, ms: 30 });
});

test.each<[string, (visitor: Visitor, swallow: (thrown: unknown) => void) => Promise<void>, number]>([
  ['waits for what never comes', async () => new Promise(() => {}), 0],
  ['swallows it again and again', ({ step }, swallow) => forEver(() => step('list', get('/')).catch(swallow)), 1],
  ['swallows it thinking', ({ think }, swallow) => forEver(() => think('1ms').catch(swallow)), 0],
  ['never settles after its answer', async ({ step }) => void (await Promise.all([step('list', get('/')), new Promise(() => {})])), 1],
])('who %s has left a load that was broken off as soon as all requests are answered', async (_, visit, asked) => {
  const swallowed: unknown[] = [];
  const target = lived((visitor) => visit(visitor, (thrown) => void swallowed.push(thrown)));
  target.visit({ intendedMs: 0 });
  target.halt();
  await target.sleep(0);
  expect([target.asked(), target.left()]).toEqual([asked, 1 - asked]);
  await target.answer();
  await target.sleep(100);
  expect([target.asked(), target.left(), target.stumbles]).toEqual([asked, 1, []]);
  // The thought that was broken off, and the first one after it.
  expect(swallowed.length).toBeLessThanOrEqual(2);
});

test('of a load that is broken off a journey hears once, and may tidy up; then it waits for ever', async () => {
  const heard: string[] = [];
  const target = lived(async ({ step, think }) => {
    await step('list', get('/'));
    try {
      await step('buy', get('/'));
    } finally {
      heard.push('finally');
      await think('1ms');
      heard.push('never');
    }
  });
  target.visit({ intendedMs: 0 });
  target.halt();
  await target.answer();
  await target.sleep(100);
  expect([heard, target.left(), target.asked()]).toEqual([['finally'], 1, 1]);
});

test('a mistake that was made before the load was broken off is told', async () => {
  const target = lived(async ({ step }) => {
    step('list', get('/'));
    throw new Error('no seat');
  });
  target.visit({ intendedMs: 0 });
  await target.sleep(0);
  target.halt();
  await target.answer();
  expect([target.left(), target.stumbles]).toEqual([1, ['no seat']]);
});

test('a load that is broken off ends every thought, and nobody stumbles', async () => {
  const target = lived(async ({ step, think, signal }) => {
    await step('list', get('/'));
    await think('10m').catch((why) => {
      expect(signal.aborted).toBe(true);
      throw why;
    });
    await step('buy', get('/'));
  });
  target.visit({ number: 0, intendedMs: 0 });
  target.visit({ number: 1, intendedMs: 0 });
  await target.answer();
  target.halt();
  await target.sleep(0);
  expect(target.left()).toBe(1);
  // The other one is answered only now, and has no time to think any more.
  await target.answer();
  await target.sleep(0);
  expect([target.left(), target.asked(), target.stumbles]).toEqual([2, 2, []]);
  expect(vi.getTimerCount()).toBe(0);
});

test('requests that are traced tell who they were', async () => {
  const target = lived(async ({ step }) => void (await step('buy', get('/'))), { traced: true });
  target.visit({ intendedMs: 3 });
  await target.answer({ writtenMs: 4, endedMs: 9 });
  expect(target.settled).toEqual([{ step: 1, outcome: 'ok', intendedMs: 0, endedMs: 9, traceId: 'trace of 1', spanId: 'span of 1' }]);
  expect(target.traces).toEqual(['parent of 1']);
});

test('whatever visitors do, each request that was sent is recorded once, and everybody leaves once', async () => {
  const deeds: Record<string, (visitor: Visitor) => Promise<unknown>> = {
    one: ({ step }) => step('list', get('/')),
    threeAtOnce: ({ step }) => Promise.all([step('list', get('/')), step('buy', get('/')), step('list', get('/'))]),
    unwaited: async ({ step }) => void step('buy', get('/')),
    thought: ({ think }) => think('1ms', '9ms'),
    unsendable: ({ step }) => step('list', get('no slash')).catch(() => undefined),
    mistake: () => Promise.reject(new Error('a mistake')),
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.constantFrom(...Object.keys(deeds)), { maxLength: 6 }), { maxLength: 8 }),
      fc.infiniteStream(
        fc.constantFrom<Partial<Reply>>({}, { kind: 'timedOut' }, { kind: 'broken', message: 'gone', writtenMs: Number.NaN }),
      ),
      async (plans, replies) => {
        const target = lived(async (visitor) => {
          for (const deed of plans[visitor.number] ?? []) await deeds[deed]?.(visitor);
        });
        for (const number of plans.keys()) target.visit({ number, intendedMs: 0 });
        for (let turn = 0; turn < 100 && target.left() < plans.length; turn++) {
          await target.sleep(10);
          await target.answer(replies.next().value);
        }
        expect(target.left()).toBe(plans.length);
        expect(target.waiting()).toBe(0);
        const { planned, sent, watchedPlanned, watchedSent } = target.counted;
        const asked = target.asked();
        expect([planned, sent, watchedPlanned, watchedSent, target.ended.length]).toEqual([asked, asked, asked, asked, asked]);
        for (const measure of ['response', 'queue']) expect(target.ofMeasure(measure).length).toBe(asked);
        expect(target.stumbles.length).toBe(plans.filter((plan) => plan.includes('mistake') || plan.includes('unsendable')).length);
      },
    ),
  );
});

/** As journeys do that take an error for the target's. Not really for ever: a loop that never rests would hold up the test. */
async function forEver(deed: () => Promise<unknown>): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await deed();
}

const wholesome = async ({ step }: Visitor) => void (await step('list', get('/')));
type Noted = { window: number; measure: string; step: string; outcome: RequestOutcome; ms: number };

/** A target that answers when a test says so, on a clock that goes when a test says so. A millisecond is a window. */
function lived(visit: (visitor: Visitor) => Promise<void>, { traced = false } = {}) {
  const steps = ['list', 'buy'];
  const halting = new AbortController();
  const noted: Noted[] = [];
  const counted = { planned: 0, sent: 0, watchedPlanned: 0, watchedSent: 0 };
  const ended: RequestOutcome[] = [];
  const stumbles: string[] = [];
  const settled: Settled[] = [];
  const reasons: (Omit<Settled, 'traceId' | 'spanId'> & { why: string | undefined })[] = [];
  const traces: (string | undefined)[] = [];
  const waiting: ((reply: Reply) => void)[] = [];
  const measures = Object.entries(measure);
  let nowMs = 0;
  let asked = 0;
  let left = 0;

  const visits = createVisits({
    source: {
      steps,
      visit,
      sender: () => (ask: Ask, traceparent, onReply) => {
        if ('path' in ask && !ask.path.startsWith('/')) throw new TypeError(`Expected a path, got ${ask.path}`);
        asked += 1;
        traces.push(traceparent);
        waiting.push(onReply);
      },
      outcomeOf: (reply) => (reply.kind === 'timedOut' ? 'timeout' : reply.kind === 'answered' && reply.status === 200 ? 'ok' : 'failed'),
      connections: () => ({ open: 0, peak: 0 }),
      collected: () => undefined,
    },
    ledger: {
      record: (window, number, step, outcome, us) =>
        noted.push({
          window,
          measure: measures.find(([, index]) => index === number)?.[0] ?? '',
          step: steps[step] ?? '',
          outcome: requestOutcomes[outcome] ?? 'failed',
          ms: us / 1_000,
        }),
      count: (_window, number) => {
        if (number === counter.planned) counted.planned += 1;
        if (number === counter.sent) counted.sent += 1;
      },
    },
    watcher: {
      planned: () => void counted.watchedPlanned++,
      late: () => undefined,
      sent: () => void counted.watchedSent++,
      ended: (_step, outcome) => void ended.push(outcome),
      settled: (request) => void settled.push(request),
      failed: (request, why) => void reasons.push({ ...request, why: why() }),
      stumbled: (message) => void stumbles.push(message),
    },
    windowOf: Math.floor,
    now: () => nowMs,
    seed: 7,
    signal: halting.signal,
    ...(traced ? { spanOf: (step) => ({ traceId: `trace of ${step}`, spanId: `span of ${step}`, traceparent: `parent of ${step}` }) } : {}),
  });

  const sleep = async (ms: number) => {
    nowMs += ms;
    await vi.advanceTimersByTimeAsync(ms);
  };
  return {
    noted,
    counted,
    ended,
    stumbles,
    settled,
    reasons,
    traces,
    visit: ({ number = 0, phase = 0, intendedMs }: { number?: number; phase?: number; intendedMs: number }) =>
      visits({ number, phase, intendedMs }, () => void left++),
    /** Time passes, and no timer fires meanwhile: the loop is busy. */
    wait: (ms: number) => {
      nowMs += ms;
    },
    sleep,
    /** To the request that has waited longest. */
    answer: async (reply: Partial<Reply> = {}) => {
      const about = { header: (name: string) => `<${name}>`, headers: () => [], text: '' };
      waiting.shift()?.({
        kind: 'answered',
        status: 200,
        ...about,
        writtenMs: nowMs,
        firstByteMs: nowMs,
        endedMs: nowMs,
        ...reply,
      } as Reply);
      await vi.advanceTimersByTimeAsync(0);
    },
    halt: () => halting.abort(new Error('The load has been broken off')),
    asked: () => asked,
    /** Thoughts that listen for the end of the load, besides the one who tells all visits. */
    listeners: () => getEventListeners(halting.signal, 'abort').length - 1,
    left: () => left,
    waiting: () => waiting.length,
    of: (step: string) => noted.filter((row) => row.step === step),
    ofMeasure: (name: string) => noted.filter((row) => row.measure === name).map(({ ms }) => ms),
  };
}
