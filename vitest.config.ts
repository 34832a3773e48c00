import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'bpf/node-libbpf/test/**/*.test.ts'],
    // Kernel and cluster tests share one machine: files run one after the other, each in its own process.
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
