import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** JupyterLab's packages import their icons as text; its own builder knows that, vite does not. */
const svgAsText = {
  name: 'svg-as-text',
  enforce: 'pre' as const,
  load(id: string): string | undefined {
    const path = id.split('?')[0];
    return path.endsWith('.svg') ? `export default ${JSON.stringify(readFileSync(path, 'utf8'))}` : undefined;
  }
};

export default defineConfig({
  plugins: [svgAsText],
  test: {
    environment: 'jsdom',
    include: ['src/__tests__/*.spec.ts?(x)'],
    server: { deps: { inline: [/@jupyterlab/, /@lumino/, /@jupyter\//] } },
    css: false,
    setupFiles: ['./vitest.setup.ts']
  }
});
