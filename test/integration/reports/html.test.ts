import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeHtml } from '../../../reports/html/page.ts';
import { sampleRecord } from '../../support/records/sample.ts';
import { targetRecord } from '../../support/records/target.ts';
import { pausedSecond } from '../../support/records/traffic.ts';

const executablePath = findChromium();
if (executablePath === undefined) {
  console.warn('The report was not looked at: no Chromium was found. Install chromium, or name one in CHROMIUM_PATH.');
}

const record = sampleRecord();
const looks = [1_280, 390].flatMap((width) => (['light', 'dark'] as const).map((scheme) => ({ width, scheme })));

describe.skipIf(executablePath === undefined)('the report in Chromium', () => {
  let folder: string;
  let address: string;
  let targetFolder: string;
  let browser: Browser;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stampede-report-'));
    address = pathToFileURL(await writeHtml(folder, record)).href;
    targetFolder = await mkdtemp(join(tmpdir(), 'stampede-report-'));
    browser = await chromium.launch({ executablePath: executablePath ?? '', args: flags });
  });
  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
    await rm(targetFolder, { recursive: true, force: true });
  });

  test.each(looks)('shows every panel at $width px in the $scheme, quietly and without asking anyone', async ({ width, scheme }) => {
    const { page, complaints, requests } = await open({ width, scheme });
    for (const title of panels) expect.soft(await page.getByRole('heading', { name: title, exact: true }).isVisible(), title).toBe(true);
    expect(await page.locator('.waterfall:visible').count()).toBe(1);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    expect(
      await page.locator('.plot svg:visible').evaluateAll((plots) => plots.filter(({ clientWidth }) => clientWidth < 150).length),
    ).toBe(0);
    expect((await page.screenshot({ fullPage: true })).length).toBeGreaterThan(blankBytes * 4);
    expect(complaints).toEqual([]);
    expect(requests).toEqual([address]);
    await page.close();
  });

  test.each([1_280, 390])('lets no label beside a plot lie on another at %d px', async (width) => {
    const { page } = await open({ width, scheme: 'light' });
    for (const group of ['.panel:visible .ends', '.panel:visible .values', '.axis:visible', '.span-axis:visible']) {
      expect(await page.locator(group).evaluateAll(overlapsWithin), group).toEqual([]);
    }
    await page.close();
  });

  test('shows one route when it is chosen, without a script', async () => {
    const { page } = await open({ width: 1_280, scheme: 'light', javaScriptEnabled: false });
    const latencies = page.locator('.panel:visible h3', { hasText: 'Latency of' });
    expect(await latencies.allTextContents()).toEqual(['Latency of browse', 'Latency of view', 'Latency of checkout']);
    await page.getByRole('radio', { name: 'checkout', exact: true }).check({ force: true });
    expect(await latencies.allTextContents()).toEqual(['Latency of checkout']);
    expect(await page.getByRole('heading', { name: 'Outcomes of checkout' }).isVisible()).toBe(true);
    await page.close();
  });

  test('tells the values of a second to the pointer and to the keyboard, with one crosshair on all panels', async () => {
    const { page } = await open({ width: 1_280, scheme: 'light' });
    const plot = page.getByRole('figure', { name: /^Requests a second:/ }).locator('[data-told]');
    await plot.hover({ position: { x: 5, y: 40 } });
    expect(await told(page)).toMatch(/Requests a second, 0:00planned\d+\/sanswered\d+\/s/);
    expect(await page.locator('.timeline.pointed').count()).toBe(1);
    await page.mouse.move(0, 0);
    expect(await page.getByRole('status').isVisible()).toBe(false);

    await page.getByRole('radio', { name: 'all', exact: true }).focus();
    await page.keyboard.press('Tab');
    await page.keyboard.press('ArrowRight');
    expect(await told(page)).toContain('Requests a second, 0:01');
    await page.keyboard.press('End');
    expect(await told(page)).toContain('Requests a second, 1:29');
    await page.keyboard.press('Escape');
    expect(await page.getByRole('status').isVisible()).toBe(false);
    await page.close();
  });

  test('tells what the machine did in the second of a spike, and marks it on the panels of both', async () => {
    const { page } = await open({ width: 1_280, scheme: 'light' });
    const hiccups = page.getByRole('figure', { name: /^Hiccups and generator lag:/ });
    const { width } = (await hiccups.locator('[data-told]').boundingBox()) ?? { width: 0 };
    await hiccups.locator('[data-told]').hover({ position: { x: ((pausedSecond + 0.5) / 90) * width, y: 40 } });
    expect(await told(page)).toMatch(/Hiccups and generator lag, 1:11lag p99\d+\.\d mshiccup p99\d+\.\d mshiccup max96\.3 ms/);
    expect(await hiccups.locator('.suspect-band').count()).toBe(1);
    expect(
      await page
        .getByRole('figure', { name: /^Latency of browse:/ })
        .locator('.suspect-band')
        .count(),
    ).toBe(1);
    await page.close();
  });

  test.each(looks)("shows a run against an address of one's own without empty frames at $width px in the $scheme", async (look) => {
    const { page, complaints } = await open({ ...look, of: pathToFileURL(await writeHtml(targetFolder, targetRecord())).href });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(look.width);
    expect(
      await page
        .locator('section, figure, .card, table')
        .evaluateAll((frames) => frames.filter(({ textContent }) => textContent.trim() === '').length),
    ).toBe(0);
    expect(await page.getByRole('heading', { name: 'Traces' }).count()).toBe(0);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('shows the chosen trace, and what a span says of itself', async () => {
    const { page } = await open({ width: 1_280, scheme: 'light' });
    await page.locator('[name=trace][value="0"]').check({ force: true });
    expect(await page.locator('.waterfall:visible h3').textContent()).toBe('browse in before: typical');
    await page.locator('.waterfall:visible [data-span]', { hasText: 'mall.Product/List' }).first().hover();
    expect(await told(page)).toMatch(/rpc\.methodmall\.Product\/List/);
    await page.close();
  });

  test.each([1_280, 390])('cuts no entry of the list of examples, and has the chosen one in sight, at %d px', async (width) => {
    const { page } = await open({ width, scheme: 'light' });
    const [list, entries] = [page.locator('.trace-choice .list'), page.locator('.trace-choice label')];
    expect(await entries.filter({ has: page.locator(':checked') }).evaluateAll(sightOf)).toEqual(['whole']);
    expect(await entries.evaluateAll(sightOf)).not.toContain('cut');
    await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    expect(await entries.evaluateAll(sightOf)).not.toContain('cut');
    await page.close();
  });

  test('hands out the record it was made from', async () => {
    const { page } = await open({ width: 1_280, scheme: 'light' });
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download the record' }).click(),
    ]);
    expect(download.suggestedFilename()).toBe(`${record.run.id}.json`);
    expect(JSON.parse(await readFile(await download.path(), 'utf8'))).toEqual(record);
    await page.close();
  });

  async function open({ width, scheme, of = address, ...rest }: Look) {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme, ...rest });
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', ({ message }) => complaints.push(message));
    page.on('request', (request) => !request.url().startsWith('data:') && requests.push(request.url()));
    await page.goto(of, { waitUntil: 'load' });
    return { page, complaints, requests };
  }
});

type Look = { width: number; scheme: 'light' | 'dark'; of?: string; javaScriptEnabled?: boolean };

const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const panels = [
  record.scenario.name,
  'Expectations',
  'Timeline',
  'Requests a second',
  'Latency of browse',
  'Latency of view',
  'Latency of checkout',
  'Hiccups and generator lag',
  'Load of the generator and its machine',
  'Outcomes',
  'Breaker on orders->payment',
  'Picks on orders->inventory',
  'Shedding by gateway',
  'Shedding by orders',
  'Requests by route and phase',
  'Percentile curves',
  'Traces',
  'How far to trust this',
];

function findChromium(): string | undefined {
  const named = process.env.CHROMIUM_PATH;
  const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'];
  return [...(named === undefined ? [] : [named]), ...places].find((path) => existsSync(path));
}

/** An empty page of this size makes a picture of about so many bytes. */
const blankBytes = 30_000;

const told = (page: Page) => page.getByRole('status').textContent();

type Box = { left: number; right: number; top: number; bottom: number };
type Labels = { querySelectorAll: (selector: string) => Iterable<{ textContent: string; getBoundingClientRect: () => Box }> };

/** Runs in the page: pairs of labels of one group whose boxes share more than a pixel. */
function overlapsWithin(groups: Labels[]): string[] {
  return groups.flatMap((group) => {
    const labels = [...group.querySelectorAll('span')].map((label) => ({ text: label.textContent, box: label.getBoundingClientRect() }));
    return labels.flatMap((one, index) =>
      labels
        .slice(index + 1)
        .filter(
          ({ box }) =>
            Math.min(one.box.right, box.right) - Math.max(one.box.left, box.left) > 1 &&
            Math.min(one.box.bottom, box.bottom) - Math.max(one.box.top, box.top) > 1,
        )
        .map(({ text }) => `${one.text} / ${text}`),
    );
  });
}

type Entry = { parentElement: { getBoundingClientRect: () => Box } | null; getBoundingClientRect: () => Box };

/** Runs in the page: how much of each entry is seen of a list that scrolls; half a pixel is no cut. */
function sightOf(entries: Entry[]): string[] {
  return entries.map((entry) => {
    const { top, bottom } = entry.getBoundingClientRect();
    const list = entry.parentElement?.getBoundingClientRect() ?? { top: 0, bottom: 0 };
    if (top > list.bottom - 0.5 || bottom < list.top + 0.5) return 'none';
    return top < list.top - 0.5 || bottom > list.bottom + 0.5 ? 'cut' : 'whole';
  });
}
