import { trace } from '@opentelemetry/api';
import fc from 'fast-check';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { codes, MallError, refused } from '../../../../../system/errors.ts';
import { fulfilment } from '../../../../../system/services/orders/fulfil.ts';
import type { Order } from '../../../../../system/services/orders/orders.ts';
import type { ClaimedOrder } from '../../../../../system/services/orders/store.ts';

test('an order is paid when every step succeeds', async () => {
  const mall = smallMall([]);
  expect(await mall.place()).toMatchObject({ status: 'PAID' });
  expect(mall.books()).toEqual({ status: 'PAID', charges: 1, taken: 1 });
});

test.each<[string, Event]>([
  ['an open payment breaker', 'breaker'],
  ['a payment that sheds', 'shed'],
  ['a payment without an answer', 'doneButLost'],
  ['a payment that was never reached', 'unreached'],
])('%s makes the order PENDING, and the sweep pays it, once', async (_what, event) => {
  const mall = smallMall(['ok', 'ok', event]);
  expect(await mall.place()).toMatchObject({ status: 'PENDING' });
  await mall.sweep();
  expect(mall.books()).toEqual({ status: 'PAID', charges: 1, taken: 1 });
});

test.each<[string, Event[], number]>([
  ['stock is refused', ['no'], codes.outOfStock],
  ['stock is refused and that cannot be written', ['no', 'unreached'], codes.outOfStock],
  ['inventory sheds and that cannot be written', ['shed', 'unreached'], codes.serverError],
  ['the answer of inventory is lost', ['doneButLost'], codes.orderCreateFailed],
  ['the answer of inventory is lost and that cannot be written', ['doneButLost', 'unreached'], codes.orderCreateFailed],
  ['inventory is lost and cannot take back', ['doneButLost', 'ok', 'unreached'], codes.orderCreateFailed],
  ['PENDING cannot be written', ['ok', 'unreached'], codes.orderCreateFailed],
  ['PENDING is written and the answer lost', ['ok', 'doneButLost'], codes.orderCreateFailed],
  ['the breaker of the database is open', ['ok', 'breaker', 'breaker'], codes.orderCreateFailed],
  ['the balance is too low', ['ok', 'ok', 'no'], codes.insufficientBalance],
  ['the balance is too low and that cannot be written', ['ok', 'ok', 'no', 'unreached'], codes.insufficientBalance],
])('an order is refused and cancelled when %s', async (_when, script, code) => {
  const mall = smallMall(script);
  await expect(mall.place()).rejects.toMatchObject({ code, refusedBy: code === codes.serverError ? 'shedding' : undefined });
  await mall.sweep();
  expect(mall.books()).toEqual({ status: 'CANCELLED', charges: 0, taken: 0 });
});

test('an order that failed has its own words and status, whatever failed it', async () => {
  await expect(smallMall(['doneButLost']).place()).rejects.toMatchObject({ httpStatus: 503, message: 'The order could not be made' });
});

test('a shopper hears that it is open when neither PENDING nor its undoing is known to be written', async () => {
  const mall = smallMall(['ok', 'doneButLost', 'unreached']);
  await expect(mall.place()).rejects.toMatchObject({ httpStatus: 504, code: codes.orderCreateFailed });
});

test('an order that the sweep took for abandoned is not charged by who placed it', async () => {
  const mall = smallMall([]);
  mall.loseClaim();
  await expect(mall.place()).rejects.toMatchObject({ code: codes.orderCreateFailed });
  expect(mall.books()).toEqual({ status: 'CREATED', charges: 0, taken: 1 });
  await mall.sweep();
  expect(mall.books()).toEqual({ status: 'CANCELLED', charges: 0, taken: 0 });
});

test('whatever fails, dies or comes late, what the shopper heard agrees with what becomes of the order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.constantFrom(...events), { maxLength: 12 }),
      fc.integer({ min: 0, max: 3 }),
      async (scheduler, script, sweepsMeanwhile) => {
        const mall = smallMall(script, () => scheduler.schedule(Promise.resolve()));
        let heard = 'nothing';
        mall.place().then(
          ({ status }) => {
            heard = status;
          },
          (error: MallError) => {
            heard = error.httpStatus === 504 ? 'nothing' : 'no';
          },
        );
        for (let sweep = 0; sweep < sweepsMeanwhile; sweep += 1) void mall.sweep();
        await scheduler.waitIdle();

        mall.calmDown();
        for (let sweep = 0; sweep < 3; sweep += 1) await mall.sweep();
        mall.letStragglersArrive();

        const { status, charges, taken } = mall.books();
        expect([
          ['PAID', 1, 1],
          ['CANCELLED', 0, 0],
        ]).toContainEqual([status, charges, taken]);
        if (heard === 'nothing') return;
        expect(['PAID', 'PENDING', 'no']).toContain(heard);
        // A yes is broken only by a no of the payment.
        const promised = heard === 'no' || (heard === 'PENDING' && mall.isPoor()) ? 'CANCELLED' : 'PAID';
        expect(status).toBe(promised);
      },
    ),
    { numRuns: 2_000 },
  );
});

/**
 * How a call ends. `no`: the service decides against it, if it can. `breaker`, `shed`: turned away. `unreached`: lost on the way there.
 * `doneButLost`: lost on the way back. `late`, `straggles`: given up, and done all the same, some time later or after everything else.
 * `dies`: the process that called does nothing more.
 */
type Event = 'ok' | 'no' | 'breaker' | 'shed' | 'unreached' | 'doneButLost' | 'late' | 'straggles' | 'dies';
const events: readonly Event[] = ['ok', 'ok', 'no', 'breaker', 'shed', 'unreached', 'doneButLost', 'late', 'straggles', 'dies'];

/**
 * An inventory, a payment and a database in memory, whose calls end as the script says, one by one; those beyond its end succeed. `turn` lets
 * others go first. A sweep may take the order over at any time: no claim is too young for it, so nothing here rests on clocks.
 */
function smallMall(script: readonly Event[], turn: () => Promise<unknown> = async () => undefined) {
  let row: ClaimedOrder = { id: 'O1', userId: 1, status: 'CREATED', totalCents: 100, lines: [], claimMs: 1 };
  let reservation: 'none' | 'REDUCED' | 'RESTORED' = 'none';
  let taken = 0;
  let charges = 0;
  let isPaid = false;
  let isPoor = false;
  let upcoming = [...script];
  let nextTurn = turn;
  let lastClaim = 1;
  const stragglers: (() => unknown)[] = [];

  /** What one process sees of the others. */
  function caller() {
    let isDead = false;
    const never = new Promise<never>(() => undefined);

    async function call<T>(act: () => T, refuse: () => void = () => undefined): Promise<T> {
      await nextTurn();
      if (isDead) return never;
      const event = upcoming.shift() ?? 'ok';
      if (event === 'dies') isDead = true;
      if (isDead) return never;
      if (event === 'breaker') throw refused('breaker');
      if (event === 'shed') throw refused('shedding');
      if (event === 'unreached') throw new MallError('rpc');
      if (event === 'straggles') stragglers.push(act);
      if (event === 'late')
        void nextTurn()
          .then(act)
          .catch(() => undefined);
      if (event === 'straggles' || event === 'late') throw refused('deadline');
      if (event === 'no') refuse();
      const answer = act();
      if (event === 'doneButLost') throw refused('deadline');
      await nextTurn();
      return isDead ? never : answer;
    }

    const write = (order: ClaimedOrder, status: Order['status'], from = [order.status]) =>
      call(() => {
        if (row.claimMs !== order.claimMs || !from.includes(row.status)) return undefined;
        row = { ...row, status };
        return row;
      });

    return {
      claim: () =>
        call(() => {
          row = { ...row, claimMs: ++lastClaim };
          return row;
        }),
      ...fulfilment(
        {
          tracer: trace.getTracer('test'),
          clock: { epochOffsetNs: 0n, nowNs: () => 0n, nowMs: () => 0 },
          log: pino({ enabled: false }),
        },
        {
          store: {
            startPaying: (order) => write(order, 'PENDING'),
            startUndo: (order) => write(order, 'CANCELLING', ['CREATED', 'PENDING']),
            finish: (order, status) => write(order, status),
          },
          inventory: {
            reduce: () =>
              call(reduce, () => {
                if (reservation === 'none') throw new MallError('outOfStock');
              }),
            restore: () => call(restore),
          },
          payment: {
            charge: () =>
              call(charge, () => {
                isPoor ||= !isPaid;
              }),
          },
        },
      ),
    };
  }

  function reduce() {
    if (reservation === 'RESTORED') throw new MallError('orderStatus');
    if (reservation === 'none') taken += 1;
    reservation = 'REDUCED';
    return {};
  }

  function restore() {
    if (reservation === 'REDUCED') taken -= 1;
    reservation = 'RESTORED';
    return {};
  }

  /** As `payment/store.ts`: once, and never again after a no, as balances only fall. */
  function charge() {
    if (!isPaid && isPoor) throw new MallError('insufficientBalance');
    if (!isPaid) charges += 1;
    isPaid = true;
    return { orderId: row.id, amountCents: row.totalCents, status: 'PAID' };
  }

  return {
    place: () => caller().fulfil({ ...row, claimMs: 1 }),
    async sweep() {
      const { claim, settle } = caller();
      if (row.status === 'PAID' || row.status === 'CANCELLED') return;
      const claimed = await claim().catch(() => undefined);
      if (claimed !== undefined && claimed.status !== 'PAID' && claimed.status !== 'CANCELLED') await settle(claimed);
    },
    loseClaim() {
      row = { ...row, claimMs: ++lastClaim };
    },
    calmDown() {
      upcoming = [];
      nextTurn = async () => undefined;
    },
    letStragglersArrive() {
      for (const act of stragglers) {
        try {
          act();
        } catch {
          // Refused, and nobody listens.
        }
      }
    },
    isPoor: () => isPoor,
    books: () => ({ status: row.status, charges, taken }),
  };
}
