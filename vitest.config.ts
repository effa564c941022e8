import { defineConfig } from 'vitest/config';

const suite = (name: string, testTimeout: number, rest = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...rest },
});
const ofSystem = 'test/unit/system/**/*.test.ts';

export default defineConfig({
  test: {
    projects: [
      // Importing a file of ours does nothing, so files may share modules, and the whole takes a third less time. The mall's may not: telemetry
      // libraries keep state of the process.
      suite('unit', 5_000, { isolate: false, exclude: [ofSystem] }),
      suite('unit-system', 5_000, { include: [ofSystem] }),
      suite('conformance', 20_000),
      // Real servers share two cores: one file after the other.
      suite('integration', 120_000, { fileParallelism: false }),
      suite('e2e', 300_000, { fileParallelism: false }),
    ],
  },
});
