import { defineConfig } from 'vitest/config';

const suite = (name: string, testTimeout: number, rest = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout, ...rest },
});

export default defineConfig({
  test: {
    projects: [
      suite('unit', 5_000),
      suite('conformance', 20_000),
      // Real servers share two cores: one file after the other.
      suite('integration', 120_000, { fileParallelism: false }),
      suite('e2e', 300_000, { fileParallelism: false }),
    ],
  },
});
