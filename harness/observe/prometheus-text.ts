/** One line of a Prometheus page. `key` is its name and labels as they stand there: equal keys are the same series. */
export type Sample = { key: string; name: string; labels: Readonly<Record<string, string>>; value: number };

/**
 * Makes a function that reads the samples of the wanted families out of a Prometheus page and passes over everything else unread. Labels
 * of a line that was seen before are not parsed again. Lines that are not in the format are passed over too.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export function createPageReader(wanted: readonly string[]): (page: string) => Sample[] {
  const isWanted = new Set(wanted);
  const known = new Map<string, Omit<Sample, 'value'>>();

  function readLine(line: string): Sample | undefined {
    const keyEnd = line.lastIndexOf('} ') + 1 || line.indexOf(' ');
    if (keyEnd <= 0) return undefined;
    const [number = ''] = line.slice(keyEnd + 1).split(' ');
    const value = Number(number);
    if (number === '' || !Number.isFinite(value)) return undefined;
    const key = line.slice(0, keyEnd);
    let series = known.get(key);
    if (series === undefined) {
      if (known.size >= maxKnown) known.clear();
      series = seriesOf(key);
      known.set(key, series);
    }
    return { ...series, value };
  }

  return function readPage(page) {
    const samples: Sample[] = [];
    let at = 0;
    while (at < page.length) {
      const end = lineEnd(page, at);
      if (page.startsWith(typePrefix, at)) {
        const [family = ''] = page.slice(at + typePrefix.length, end).split(' ', 1);
        // Jumping to the next comment is what makes long histograms cost nothing.
        at = isWanted.has(family) ? end + 1 : nextComment(page, end);
        continue;
      }
      const sample = page[at] === '#' ? undefined : readLine(page.slice(at, end));
      if (sample !== undefined) samples.push(sample);
      at = end + 1;
    }
    return samples;
  };
}

const maxKnown = 10_000;
const typePrefix = '# TYPE ';

function lineEnd(page: string, at: number): number {
  const end = page.indexOf('\n', at);
  return end < 0 ? page.length : end;
}

function nextComment(page: string, at: number): number {
  const before = page.indexOf('\n#', at);
  return before < 0 ? page.length : before + 1;
}

function seriesOf(key: string): Omit<Sample, 'value'> {
  const brace = key.indexOf('{');
  if (brace < 0) return { key, name: key, labels: {} };
  const labels = Object.fromEntries(
    [...key.slice(brace).matchAll(/([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(([, label = '', value = '']) => [label, unquoted(value)]),
  );
  return { key, name: key.slice(0, brace), labels };
}

const unquoted = (value: string) => value.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character));
