/**
 * The wire: what `GET lean-magic/api/state` answers, read member by member.
 *
 * The types below are those of the readers, so what the types promise has been checked. Members that this version does
 * not know are passed over; a nullable one that is missing is null. Units are bytes, watts, per cent, degrees Celsius,
 * seconds and US dollars; moments are seconds since 1970.
 */

export const VERSION = 1;

/** What came is not what this version of the panel understands. */
export class WireError extends Error {
  constructor(
    message: string,
    readonly kind: 'version' | 'shape'
  ) {
    super(message);
  }
}

type Read<T> = (value: unknown, where: string) => T;
type Shape = Record<string, Read<unknown>>;
type Shaped<S extends Shape> = { readonly [K in keyof S]: ReturnType<S[K]> };

function wrong(where: string, wanted: string): never {
  throw new WireError(`${where} is not ${wanted}`, 'shape');
}

const text: Read<string> = (value, where) => (typeof value === 'string' ? value : wrong(where, 'text'));
const flag: Read<boolean> = (value, where) => (typeof value === 'boolean' ? value : wrong(where, 'true or false'));
const number: Read<number> = (value, where) => (typeof value === 'number' ? value : wrong(where, 'a number'));

function orNull<T>(read: Read<T>): Read<T | null> {
  return (value, where) => (value === null || value === undefined ? null : read(value, where));
}

function list<T>(read: Read<T>): Read<readonly T[]> {
  return (value, where) =>
    Array.isArray(value) ? value.map((item, index) => read(item, `${where}[${index}]`)) : wrong(where, 'a list');
}

/** One of the words; a word of a newer server is taken for `otherwise`. */
function word<W extends string>(words: readonly W[], otherwise: W): Read<W> {
  return (value, where) => words.find(known => known === text(value, where)) ?? otherwise;
}

function record<S extends Shape>(shape: S): Read<Shaped<S>> {
  return (value, where) => {
    if (typeof value !== 'object' || value === null) {
      return wrong(where, 'an object');
    }
    const members = value as Record<string, unknown>;
    const entries = Object.entries(shape).map(([name, read]) => [name, read(members[name], `${where}.${name}`)]);
    return Object.fromEntries(entries) as Shaped<S>;
  };
}

const status = record({
  state: word(
    [
      'ok',
      'starting',
      'no_gpu',
      'driver_missing',
      'driver_not_loaded',
      'driver_mismatch',
      'no_permission',
      'driver_hanging',
      'bindings_missing',
      'probe_failed'
    ],
    'probe_failed'
  ),
  message: text,
  since: orNull(number)
});

const point = record({ seq: number, time: number, utilization: orNull(number) });

const slice = record({
  uuid: text,
  name: text,
  utilization: orNull(number),
  memory_used: orNull(number),
  memory_total: orNull(number)
});

const gpu = record({
  uuid: text,
  index: number,
  name: text,
  state: word(['ok', 'asleep', 'lost', 'reset_required', 'failed'], 'failed'),
  message: orNull(text),
  utilization: orNull(number),
  memory_used: orNull(number),
  memory_total: orNull(number),
  unified: flag,
  power: orNull(number),
  power_limit: orNull(number),
  temperature: orNull(number),
  energy: orNull(number),
  price_per_hour: orNull(number),
  mig: orNull(list(slice)),
  history: list(point)
});

const holding = record({
  uuid: text,
  memory_used: orNull(number),
  utilization: orNull(number),
  evidence: word(['pid', 'nspid', 'deltas', 'single', 'self'], 'self')
});

const cached = record({ hit_cells: number, cells: number, restart_seconds: orNull(number) });

const kernel = record({
  kernel_id: text,
  path: orNull(text),
  name: text,
  execution_state: text,
  remote: flag,
  idle_seconds: orNull(number),
  idle_since: orNull(number),
  verdict: word(['keep', 'notice', 'warn', 'stop'], 'keep'),
  reason: text,
  cost_per_hour: orNull(number),
  cost: orNull(number),
  idle_cost: orNull(number),
  pinned: flag,
  snoozed_until: orNull(number),
  culled_in: orNull(number),
  reports: flag,
  cached: orNull(cached),
  releasable_bytes: orNull(number),
  gpus: list(holding)
});

const other = record({ uuid: text, memory_used: number });
const saved = record({ seconds: number, dollars: orNull(number), hits: number });
const countdown = record({ kernel_id: text, name: text, ends_at: number, seconds_left: number, reason: text });

const state = record({
  version: number,
  seq: number,
  time: number,
  status,
  savings: record({ today: saved, total: saved }),
  gpus: list(gpu),
  kernels: list(kernel),
  other: list(other),
  countdowns: list(countdown)
});

export type State = ReturnType<typeof state>;
export type Status = State['status'];
export type Gpu = State['gpus'][number];
export type Slice = ReturnType<typeof slice>;
export type Point = ReturnType<typeof point>;
export type Kernel = State['kernels'][number];
export type Holding = Kernel['gpus'][number];
export type Savings = State['savings'];
export type Saved = ReturnType<typeof saved>;
export type Countdown = State['countdowns'][number];

/** Read an answer of the server; a version that is not ours is refused before anything else is looked at. */
export function parse(json: unknown): State {
  const { version } = record({ version: number })(json, 'the answer');
  if (version !== VERSION) {
    throw new WireError(`the server speaks version ${version}, this page version ${VERSION}`, 'version');
  }
  return state(json, 'the answer');
}
