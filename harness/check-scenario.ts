import { described } from '../core/described.ts';
import { UsageError } from '../core/errors.ts';
import { routeNames, services } from '../system/topology.ts';
import { checkFields, checkList, checkName, checkObject, within } from './fields.ts';
import { checkLoad } from './load.ts';
import { checkTarget } from './target.ts';

/** Whether a scenario has the fields it must have, of their kinds, and no others; what their values mean the plan finds out. Throws a `UsageError`. */
export function checkScenario(scenario: unknown): void {
  const of = checkStory('scenario', scenario, { own: ['timeline', 'always', 'stopConditions'], given: ['name'] });
  const { timeline, always, stopConditions } = scenario as Record<string, unknown>;
  checkList(`'timeline' of ${of}`, timeline, "[phase('calm', { lasts: '10s', … })]");
  for (const phase of timeline) checkPhase(phase);
  if (always !== undefined) checkList(`'always' of ${of}`, always, anExpectation);
  if (stopConditions !== undefined)
    checkList(`'stopConditions' of ${of}`, stopConditions, "[abortWhen(…, { errorsAbove: '50%', for: '5s' })]");
}

/** What every question and every story begins with. Answers its name as sentences say it. */
export function checkStory(kind: string, written: unknown, { own, given }: { own: readonly string[]; given: readonly string[] }): string {
  checkObject(`a ${kind}`, written);
  const { name, story, ...fields } = written as Record<string, unknown>;
  checkName(`a ${kind}`, name);
  const of = `${kind} '${name}'`;
  checkFields(of, written, ['story', ...checkSubject(of, fields), ...own, 'visitors'], { given });
  if (typeof story !== 'string' || story.trim() === '') refuse(`Expected 'story' of ${of} to be a sentence, got ${described(story)}`);
  return of;
}

/** What it is about; answers the fields that say so. */
function checkSubject(of: string, fields: Readonly<Record<string, unknown>>): readonly string[] {
  const [mall, target] = [ofMall, ofTarget].map((names) => names.find((name) => name in fields));
  if (mall !== undefined && target !== undefined)
    refuse(`Expected ${of} to have either 'mall' and 'shoppers', or 'target' and 'journey', got '${target}' and '${mall}'`);
  if (mall === undefined && target === undefined)
    refuse(`Expected ${of} to have 'target' and 'journey', or 'mall' and 'shoppers', got neither`);
  if (mall === undefined) {
    checkTarget(fields.target);
    checkJourney(of, fields.journey);
    return ofTarget;
  }
  checkMall(of, fields.mall);
  checkShoppers(of, fields.shoppers);
  return ofMall;
}

const ofMall = ['mall', 'shoppers'] as const;
const ofTarget = ['target', 'journey'] as const;

function checkJourney(of: string, journey: unknown): void {
  const { steps, visit } = (typeof journey === 'object' && journey !== null ? journey : {}) as { steps?: unknown; visit?: unknown };
  if (Array.isArray(steps) && typeof visit === 'function') return;
  refuse(`Expected 'journey' of ${of} to be one such as journey(async ({ step }) => { … }), got ${described(journey)}`);
}

function checkMall(of: string, mall: unknown): void {
  checkFields(`'mall' of ${of}`, mall, ['replicas', 'stock', 'tuning']);
  const { replicas, stock, tuning } = mall as Record<string, unknown>;
  if (replicas !== undefined) checkFields(`'replicas' of ${of}`, replicas, services);
  if (stock !== undefined) checkObject(`'stock' of ${of}`, stock);
  if (tuning !== undefined) checkObject(`'tuning' of ${of}`, tuning);
}

function checkShoppers(of: string, shoppers: unknown): void {
  checkFields(`'shoppers' of ${of}`, shoppers, [...routeNames, 'wanted']);
  const { wanted, ...counts } = shoppers as Record<string, unknown>;
  for (const route of routeNames) {
    const count = counts[route];
    if (typeof count !== 'number' || !(count >= 0) || !Number.isFinite(count))
      refuse(`Expected a number of shoppers from 0 who ${route}, got ${described(count)}`);
  }
  if (wanted === undefined) return;
  checkFields(`'wanted' of ${of}`, wanted, ['product', 'share']);
  const { product, share } = wanted as Record<string, unknown>;
  if (typeof product !== 'string') refuse(`Expected 'wanted' of ${of} to name a product such as 'sku-1', got ${described(product)}`);
  if (typeof share !== 'number' || !(share >= 0 && share <= 1))
    refuse(`Expected the share of shoppers who want '${product}' to be from 0 to 1, got ${described(share)}`);
}

function checkPhase(written: unknown): void {
  checkObject('a phase', written);
  const { name, load, faults, expect, otherwise } = written as Record<string, unknown>;
  checkName('a phase', name);
  const of = `phase '${name}'`;
  checkFields(of, written, ['lasts', 'load', 'faults', 'expect', 'otherwise'], { given: ['name'] });
  within(name, () => checkLoad(load));
  if (faults !== undefined) checkList(`'faults' of ${of}`, faults, "[slow(…, { by: '1s' })]");
  checkList(`'expect' of ${of}`, expect, anExpectation);
  if (otherwise !== undefined && otherwise !== 'stop') refuse(`Expected 'otherwise' of ${of} to be 'stop', got ${described(otherwise)}`);
}

const anExpectation = "[latency(…).p95.below('1s')]";

function refuse(sentence: string): never {
  throw new UsageError(sentence);
}
