/** Who may import whom, of our own files: downward only. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { expect, it } from 'vitest';

const SRC = join(__dirname, '..');

const FLOOR = ['protocol', 'format'];
const SHOWN = [...FLOOR, 'figures', 'components', 'tokens', 'icon'];

const ALLOWED: Record<string, readonly string[]> = {
  protocol: [],
  format: [],
  icon: [],
  tokens: ['protocol'],
  figures: ['protocol'],
  components: [...FLOOR, 'figures', 'components', 'icon'],
  model: ['protocol', 'tokens'],
  client: ['model', 'protocol', 'tokens'],
  panel: SHOWN,
  status: SHOWN,
  notices: SHOWN,
  actions: SHOWN,
  events: ['tokens'],
  unsaved: ['protocol', 'tokens'],
  commands: [...SHOWN, 'actions'],
  index: ['actions', 'client', 'commands', 'events', 'icon', 'notices', 'panel', 'status', 'tokens', 'unsaved']
};

const FILES = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
  name => /\.tsx?$/.test(name) && !name.startsWith('__tests__')
);

/** The room of a file: a folder is one. */
function room(path: string): string {
  const parts = path.replace(/^(\.\.?\/)+/, '').split('/');
  return basename(parts[0]).replace(/\.tsx?$/, '');
}

function imports(name: string): string[] {
  const text = readFileSync(join(SRC, name), 'utf8');
  const paths = [...text.matchAll(/from '(\.[^']+)'/g)].map(match => match[1]);
  const inside = name.startsWith('components/');
  return paths.map(path => (inside && path.startsWith('./') ? 'components' : room(path)));
}

it.each(FILES)('%s imports only what stands below it', name => {
  const allowed = ALLOWED[room(name)];
  expect(imports(name).filter(other => !allowed?.includes(other))).toEqual([]);
});

it('only the client knows where the server is', () => {
  const knowing = FILES.filter(name => readFileSync(join(SRC, name), 'utf8').includes('lean-magic/api'));
  expect(knowing.filter(name => !['client.ts', 'protocol.ts'].includes(name))).toEqual([]);
});

function style(): string {
  const folder = join(SRC, '..', 'style');
  const names = readdirSync(folder).filter(name => name.endsWith('.css') && name !== 'index.css');
  return names.map(name => readFileSync(join(folder, name), 'utf8')).join('\n');
}

it('no colour but JupyterLab’s', () => {
  const css = style().replace(/\/\*.*?\*\//gs, '');
  expect(css.match(/#[0-9a-f]{3,8}\b|\b(rgb|hsl)a?\(/gi)).toBeNull();
  expect([...css.matchAll(/var\(--(?!jp-)/g)]).toEqual([]);
});

it('no class that is not ours', () => {
  const css = style();
  const classes = new Set([...css.matchAll(/\.(-?[a-z_][\w-]*)/gi)].map(match => match[1]));
  const foreign = [...classes].filter(name => !/^jp-(LeanMagic|mod)-/.test(name));
  expect(foreign.filter(name => !['lm-TabBar-tabIcon', 'css'].includes(name))).toEqual([]);
});
