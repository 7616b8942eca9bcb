import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/{unit,reference,corpus,lsp,webview}/**/*.test.{ts,tsx}', 'test/*.test.ts'],
    setupFiles: ['test/property-seed.ts'],
    environment: 'node',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
