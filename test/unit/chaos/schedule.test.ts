import { expect, test } from 'vitest';
import { cut, type Fault, restart, silent, slow } from '../../../chaos/faults.ts';
import { type FaultChange, playFaults } from '../../../chaos/schedule.ts';
import type { Target } from '../../../chaos/target.ts';

const slowNow = slow('orders->payment', { by: '1s' });
const cutLater = cut('user->redis', { from: '5s', lasts: '3s' });

test('applies each fault at its hour and undoes it at its end, or with the phase', async () => {
  const { timeline, playing } = play([slowNow, cutLater], { lastsMs: 10_000 });
  await playing;
  expect(timeline()).toEqual(['0 applied slow', '5000 applied cut', '8000 undone cut', '10000 undone slow']);
});

test('no fault outlives its phase, and one that would begin after it never does', async () => {
  const { timeline, playing } = play([cut('user->redis', { from: '8s', lasts: '5s' }), silent('user->redis', { from: '10s' })], {
    lastsMs: 10_000,
  });
  await playing;
  expect(timeline()).toEqual(['8000 applied cut', '10000 undone cut']);
});

test('faults of the same hour begin in the order in which they are written, whatever timers do', async () => {
  const faults = [
    cut('user->redis', { from: '1s' }),
    silent('user->redis', { from: '1s' }),
    slow('orders->payment', { by: '1s', from: '1s' }),
  ];
  const { changes, playing } = play(faults, { lastsMs: 2_000, startMs: -50 });
  await playing;
  const asked = changes.filter(({ kind }) => kind === 'asked').map(({ occurrence }) => occurrence.fault);
  expect(asked).toEqual(faults);
});

test('waits for the start of a phase that is announced ahead', async () => {
  const { timeline, playing } = play([slowNow], { lastsMs: 1_000, startMs: -50 });
  await playing;
  expect(timeline()).toEqual(['0 applied slow', '1000 undone slow']);
});

test('tells where a fault was on, and each step of it', async () => {
  const { changes, playing } = play([slowNow], { lastsMs: 1_000 });
  await playing;
  const places = ['orders->payment.1'];
  const occurrence = { fault: slowNow, fromMs: 0, untilMs: 1_000 };
  expect(changes).toEqual([
    { occurrence, places, kind: 'asked', atMs: 0 },
    { occurrence, places, kind: 'applied', atMs: 0 },
    { occurrence, places, kind: 'ended', atMs: 1_000 },
    { occurrence, places, kind: 'undone', atMs: 1_000 },
  ]);
  expect(new Set(changes.map((change) => change.occurrence)).size).toBe(1);
});

test('a fault that repeats comes again and again, and not beyond its phase', async () => {
  const { timeline, playing } = play([cut('user->redis', { from: '1s', lasts: '1s', every: '3s' })], { lastsMs: 7_500 });
  await playing;
  expect(timeline()).toEqual([
    '1000 applied cut',
    '2000 undone cut',
    '4000 applied cut',
    '5000 undone cut',
    '7000 applied cut',
    '7500 undone cut',
  ]);
});

test('a restart is over as soon as it is undone', async () => {
  const { timeline, playing } = play([restart('orders', { from: '2s' })], { lastsMs: 7_500 });
  await playing;
  expect(timeline()).toEqual(['2000 applied restart', '2000 undone restart']);
});

test('what is undone late begins late again, and never after the phase', async () => {
  const { timeline, playing } = play([restart('orders', { from: '1s', every: '2s' })], { lastsMs: 10_000, undoTakesMs: 5_000 });
  await playing;
  expect(timeline()).toEqual(['1000 applied restart', '6000 undone restart', '6000 applied restart', '11000 undone restart']);
});

test('an interruption undoes what is on and begins nothing more', async () => {
  const { timeline, playing } = play([slowNow, cutLater], { lastsMs: 10_000, abortAtMs: 3_000 });
  await expect(playing).rejects.toThrow('interrupted');
  expect(timeline()).toEqual(['0 applied slow', '3000 undone slow']);
});

test('nothing is applied after the interruption', async () => {
  const { timeline, playing } = play([slowNow], { lastsMs: 10_000, abortAtMs: 0 });
  await expect(playing).rejects.toThrow('interrupted');
  expect(timeline()).toEqual([]);
});

test('a fault that cannot be applied takes the others down and is told', async () => {
  const { timeline, playing } = play([slowNow, cutLater], { lastsMs: 10_000, cannotApply: cutLater });
  await expect(playing).rejects.toThrow('cannot apply cut');
  expect(timeline()).toEqual(['0 applied slow', '5000 undone slow']);
});

test('a fault that cannot be undone keeps no other on', async () => {
  const { timeline, playing } = play([slowNow, cutLater], { lastsMs: 10_000, cannotUndo: [cutLater] });
  await expect(playing).rejects.toThrow('cannot undo cut');
  expect(timeline()).toEqual(['0 applied slow', '5000 applied cut', '8000 undone slow']);
});

test('what stayed on is told rather than what interrupted it', async () => {
  const { playing } = play([slowNow, cutLater], { lastsMs: 10_000, abortAtMs: 6_000, cannotUndo: [slowNow, cutLater] });
  await expect(playing).rejects.toThrow('2 faults could not be undone, the first: cannot undo slow');
});

test.each(['asked', 'applied', 'ended', 'undone'])('a listener that fails when it is told %s leaves no fault on', async (failsAt) => {
  const { target, undone, applied } = scriptedTarget({});
  const playing = playFaults({
    ...{ faults: [slowNow], target, lastsMs: 1_000, signal: new AbortController().signal, ...virtualTime(0) },
    onChange({ kind }) {
      if (kind === failsAt) throw new Error('cannot listen');
    },
  });
  await expect(playing).rejects.toThrow('cannot listen');
  expect(applied).toEqual(failsAt === 'asked' ? [] : [slowNow]);
  expect(undone).toEqual(applied);
});

type Conditions = Script & { lastsMs: number; startMs?: number; abortAtMs?: number; undoTakesMs?: number };
type Script = { cannotApply?: Fault; cannotUndo?: Fault[] };

function play(faults: Fault[], { lastsMs, startMs = 0, abortAtMs, undoTakesMs = 0, ...script }: Conditions) {
  const changes: FaultChange[] = [];
  const interruption = new AbortController();
  const time = virtualTime(startMs, abortAtMs === undefined ? undefined : { atMs: abortAtMs, interruption });
  const playing = playFaults({
    ...{ faults, target: scriptedTarget({ ...script, undoing: () => sleepFor(undoTakesMs) }).target, lastsMs, signal: interruption.signal },
    ...time,
    onChange: (change) => changes.push(change),
  });
  return {
    changes,
    timeline: () =>
      changes.flatMap(({ atMs, kind, occurrence }) =>
        kind === 'applied' || kind === 'undone' ? [`${atMs} ${kind} ${occurrence.fault.kind}`] : [],
      ),
    playing,
  };

  async function sleepFor(forMs: number): Promise<void> {
    if (forMs > 0) await time.sleep(forMs, new AbortController().signal);
  }
}

function scriptedTarget({ cannotApply, cannotUndo = [], undoing = async () => {} }: Script & { undoing?: () => Promise<void> }) {
  const applied: Fault[] = [];
  const undone: Fault[] = [];
  const target: Target = {
    placesOf: (fault) => [`${'edge' in fault ? fault.edge : fault.service}.1`],
    async apply(fault) {
      if (fault === cannotApply) throw new Error(`cannot apply ${fault.kind}`);
      applied.push(fault);
      return async () => {
        await undoing();
        if (cannotUndo.includes(fault)) throw new Error(`cannot undo ${fault.kind}`);
        undone.push(fault);
      };
    },
  };
  return { target, applied, undone };
}

/** A clock that jumps to the next waking as soon as everyone sleeps. Of those who wake at the same moment the last to lie down is the first. */
function virtualTime(startMs: number, abort?: { atMs: number; interruption: AbortController }) {
  let nowMs = startMs;
  type Sleeper = { untilMs: number; wake: () => void };
  const sleepers = new Set<Sleeper>();
  let isTicking = false;
  if (abort !== undefined) sleepers.add({ untilMs: abort.atMs, wake: () => abort.interruption.abort(new Error('interrupted')) });
  if (abort !== undefined && abort.atMs <= startMs) wakeNext();

  function tick(): void {
    if (isTicking) return;
    isTicking = true;
    setImmediate(() => {
      isTicking = false;
      wakeNext();
    });
  }

  function wakeNext(): void {
    const [next] = [...sleepers].reverse().sort((left, right) => left.untilMs - right.untilMs);
    if (next === undefined) return;
    sleepers.delete(next);
    nowMs = Math.max(nowMs, next.untilMs);
    next.wake();
    if (sleepers.size > 0) tick();
  }

  return {
    now: () => nowMs,
    sleep: (forMs: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        signal.throwIfAborted();
        const sleeper = { untilMs: nowMs + forMs, wake: resolve };
        sleepers.add(sleeper);
        signal.addEventListener('abort', () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        });
        tick();
      }),
  };
}
