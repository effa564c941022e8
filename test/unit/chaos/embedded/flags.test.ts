import { expect, test } from 'vitest';
import { logLevelFrom, parseFlags } from '../../../../chaos/embedded/flags.ts';
import { UsageError } from '../../../../core/errors.ts';

test('without flags it is the original, with its counters on', () => {
  expect(parseFlags([])).toEqual({
    host: 'localhost',
    port: 8474,
    config: undefined,
    seed: undefined,
    proxyMetrics: true,
    runtimeMetrics: false,
    version: false,
    help: false,
  });
});

test.each([
  [['-host', '0.0.0.0', '-port', '1'], { host: '0.0.0.0', port: 1 }],
  [['--host=[::1]', '--port=2'], { host: '::1', port: 2 }],
  [['-seed=-7', '-config', 'a b.json'], { seed: -7, config: 'a b.json' }],
  [['-proxy-metrics=false', '--runtime-metrics'], { proxyMetrics: false, runtimeMetrics: true }],
  [['-runtime-metrics=1', '-version=F'], { runtimeMetrics: true, version: false }],
  [['-h'], { help: true }],
])('%j is read as Go would', (args, flags) => {
  expect(parseFlags(args)).toMatchObject(flags);
});

test.each([
  [['-nosuch'], 'There is no flag -nosuch; there are -host -port -config -seed -proxy-metrics -runtime-metrics -version'],
  [['start'], "Expected a flag such as -port 8474, got 'start'"],
  [['-port'], 'Expected -port to have a value'],
  [['-port', 'x'], "Expected -port to be a whole number from 0 to 65535, got 'x'"],
  [['-proxy-metrics=maybe'], "Expected -proxy-metrics to be true or false, got 'maybe'"],
])('%j is refused', (args, message) => {
  expect(() => parseFlags(args)).toThrow(new UsageError(message));
});

test.each([
  [undefined, 'info'],
  ['', 'info'],
  ['DEBUG', 'debug'],
])('LOG_LEVEL %j is %s', (text, level) => {
  expect(logLevelFrom(text)).toBe(level);
});

test('a LOG_LEVEL that is none is refused', () => {
  expect(() => logLevelFrom('loud')).toThrow("Expected LOG_LEVEL to be one of panic, fatal, error, warn, info, debug, trace, got 'loud'");
});
