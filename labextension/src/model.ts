/**
 * What is known now and what was in the last minutes. No page, no network: the client fills it, the faces read it.
 */
import { type ISignal, Signal } from '@lumino/signaling';

import type { Gpu, Point, State } from './protocol';
import type { ILink } from './tokens';

/** How far back a trail goes, in seconds. */
export const TRAIL = 300;

/** A failure alone may be a hiccup; the second in a row is told. */
const PATIENCE = 2;

export class Model {
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get state(): State | null {
    return this._state;
  }

  get link(): ILink {
    return this._link;
  }

  /** The newest sample that is here: what the server need not send again. */
  get seq(): number | null {
    return this._state?.seq ?? null;
  }

  trail(uuid: string): readonly Point[] {
    return this._trails.get(uuid) ?? [];
  }

  slot(kernelId: string): number {
    return this._slots.get(kernelId) ?? 0;
  }

  /** Take in an answer of the server. */
  accept(state: State, now: number): void {
    // a server that counts from the start again is another one, with another past
    if (this._state && state.seq < this._state.seq) {
      this._trails.clear();
    }
    this._trails = new Map(state.gpus.map(gpu => [gpu.uuid, this._longer(gpu, state.time)]));
    this._slots = dealt(this._slots, state);
    this._failures = 0;
    this._heard = now;
    this._state = state;
    this._move('live', now);
  }

  /** Take in that no answer came, and why. */
  fail(why: 'lost' | 'absent' | 'refused' | 'mismatch', now: number): void {
    this._failures += 1;
    if (why !== 'lost') {
      this._move(why, now);
    } else {
      this._move(this._failures < PATIENCE ? this._link.state : 'lost', this._heard ?? now);
    }
  }

  emit(): void {
    this._changed.emit(undefined);
  }

  private _longer(gpu: Gpu, now: number): readonly Point[] {
    const old = this.trail(gpu.uuid);
    const last = old.at(-1)?.seq ?? -Infinity;
    const fresh = gpu.history.filter(point => point.seq > last);
    return [...old, ...fresh].filter(point => point.time >= now - TRAIL);
  }

  private _move(state: ILink['state'], now: number): void {
    if (state !== this._link.state) {
      this._link = { state, since: now };
    }
    this.emit();
  }

  private _changed = new Signal<this, void>(this);
  private _state: State | null = null;
  private _link: ILink = { state: 'connecting', since: 0 };
  private _failures = 0;
  private _heard: number | null = null; // when the last answer came
  private _trails = new Map<string, readonly Point[]>();
  private _slots: ReadonlyMap<string, number> = new Map();
}

/** Keep each kernel's slot while it lives; give a new one the lowest that is free. */
function dealt(old: ReadonlyMap<string, number>, state: State): ReadonlyMap<string, number> {
  const holders = state.kernels.filter(kernel => kernel.gpus.length || old.has(kernel.kernel_id));
  const ids = holders.map(kernel => kernel.kernel_id);
  const slots = new Map([...old].filter(([id]) => ids.includes(id)));
  for (const id of ids.filter(id => !slots.has(id))) {
    slots.set(id, lowestFree([...slots.values()]));
  }
  return slots;
}

function lowestFree(taken: readonly number[]): number {
  return [...Array(taken.length + 1).keys()].find(slot => !taken.includes(slot)) ?? 0;
}
