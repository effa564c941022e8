/**
 * CREATED: written, and perhaps its stock taken. PENDING: stock taken, payment to be settled. PAID and CANCELLED are final.
 * CANCELLING: what the order took is being given back.
 */
export type OrderStatus = 'CREATED' | 'PENDING' | 'PAID' | 'CANCELLING' | 'CANCELLED';
export type OrderLine = { productId: string; quantity: number; priceCents: number };
export type Order = { id: string; userId: number; status: OrderStatus; totalCents: number; lines: OrderLine[] };

export type WantedLine = { productId: string; quantity: number };

export const limits = { lines: 20, quantity: 99 } as const;

/** What a shopper's software may call a checkout, so that it can repeat it: 1 to 64 visible ASCII characters. */
export const isKey = (text: string) => /^[!-~]{1,64}$/.test(text);

/** One line for each product, or the sentence that says what is wrong. */
export function linesOf(wanted: readonly WantedLine[]): WantedLine[] | string {
  const quantities = new Map<string, number>();
  for (const { productId, quantity } of wanted) {
    if (productId === '') return 'Expected every line to name a product';
    quantities.set(productId, (quantities.get(productId) ?? 0) + quantity);
    if (!Number.isInteger(quantity) || quantity < 1) return `Expected a quantity from 1 of '${productId}', got ${quantity}`;
  }
  if (quantities.size === 0 || quantities.size > limits.lines) return `Expected 1 to ${limits.lines} products, got ${quantities.size}`;
  const lines = [...quantities].map(([productId, quantity]) => ({ productId, quantity }));
  const tooMany = lines.find(({ quantity }) => quantity > limits.quantity);
  return tooMany === undefined ? lines : `Expected at most ${limits.quantity} of '${tooMany.productId}', got ${tooMany.quantity}`;
}

/** The lines with what they cost today, or the first product that is not in the catalogue. */
export function priced(lines: readonly WantedLine[], priceCents: ReadonlyMap<string, number>): OrderLine[] | string {
  const unknown = lines.find(({ productId }) => !priceCents.has(productId));
  if (unknown !== undefined) return `There is no product '${unknown.productId}'`;
  return lines.map((line) => ({ ...line, priceCents: priceCents.get(line.productId) ?? 0 }));
}

export const totalCentsOf = (lines: readonly OrderLine[]) =>
  lines.reduce((sum, { quantity, priceCents }) => sum + quantity * priceCents, 0);

/** The two steps that change something outside of the orders. */
export type Step = 'reduce' | 'charge';

/**
 * How a step failed. `no`: the service decided against it. `broken`: a breaker was open. `turnedAway`: shed or limited.
 * None of these carried the step out. `unknown`: it may have been carried out.
 */
export type StepFailure = 'no' | 'broken' | 'turnedAway' | 'unknown';

/**
 * Who is at work on the order. `placing`: the call that wrote it, so nobody else has taken a step, and somebody waits for an answer.
 * `settling`: the sweep, which does not know how far earlier attempts came and may have promised the order to a shopper already.
 */
export type Attempt = 'placing' | 'settling';

/**
 * `cancel`: it took nothing. `undo`: give back what it took, then cancel. `park`: keep it as PENDING. `leave`: as it is, for the next sweep.
 * `answer` is what a waiting caller hears: that the order is accepted, the failure as it came, or a failure in the order's own words.
 */
export type Decision = {
  action: 'cancel' | 'undo' | 'park' | 'leave';
  answer: 'accepted' | 'asItCame' | 'orderCreateFailed';
};

/** What becomes of an order whose step failed. */
export const afterFailure = ({ step, failure, attempt }: { step: Step; failure: StepFailure; attempt: Attempt }): Decision =>
  decisions[attempt][step][failure];

const leave: Decision = { action: 'leave', answer: 'asItCame' };

const decisions: Record<Attempt, Record<Step, Record<StepFailure, Decision>>> = {
  placing: {
    reduce: {
      no: { action: 'cancel', answer: 'asItCame' },
      broken: { action: 'cancel', answer: 'asItCame' },
      turnedAway: { action: 'cancel', answer: 'asItCame' },
      unknown: { action: 'undo', answer: 'orderCreateFailed' },
    },
    charge: {
      no: { action: 'undo', answer: 'asItCame' },
      // The degraded answer: a shopper should not lose a basket because payment is away, busy, or has not said whether it charged. Were
      // this an error, the breakers of everyone on the way would open with it and refuse what could still be served.
      broken: { action: 'park', answer: 'accepted' },
      turnedAway: { action: 'park', answer: 'accepted' },
      unknown: { action: 'park', answer: 'accepted' },
    },
  },
  settling: {
    // An order that the stock refuses has none, hence was never charged either: charging comes after.
    reduce: { no: { action: 'cancel', answer: 'asItCame' }, broken: leave, turnedAway: leave, unknown: leave },
    // A charge that succeeded before is answered with its receipt, so a no is a no to all attempts.
    charge: { no: { action: 'undo', answer: 'asItCame' }, broken: leave, turnedAway: leave, unknown: leave },
  },
};
