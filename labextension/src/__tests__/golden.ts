/** The wire as the server writes it: the same files that Python's tests read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parse, type State } from '../protocol';

const FOLDER = join(__dirname, '..', '..', '..', 'tests', 'golden', 'wire');

export const NAMES = readdirSync(FOLDER)
  .filter(name => name.endsWith('.json'))
  .map(name => name.slice(0, -'.json'.length));

/** The JSON of one golden file, fresh each time. */
export function json(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(FOLDER, `${name}.json`), 'utf8'));
}

export function state(name: string): State {
  return parse(json(name));
}
