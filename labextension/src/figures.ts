/**
 * What the panel says, worked out from what the server said. Pure.
 */
import type { Gpu, Holding, Kernel, Slice, State } from './protocol';

/** An amount, and whether it is only known to be no less. */
export interface IAmount {
  readonly value: number | null;
  readonly atLeast: boolean;
}

/** A part of a memory bar. */
export interface ISegment {
  readonly kernel: Kernel | null; // null: processes that are no kernel of ours
  readonly bytes: number;
}

export function holds(kernel: Kernel): boolean {
  return kernel.gpus.length > 0;
}

export function busy(kernel: Kernel): boolean {
  return kernel.execution_state === 'busy';
}

/** Whether the kernel holds a GPU and does nothing, for long enough to say so. */
export function idleHolder(kernel: Kernel): boolean {
  return kernel.verdict !== 'keep';
}

export function snoozed(kernel: Kernel, now: number): boolean {
  return kernel.snoozed_until !== null && kernel.snoozed_until > now;
}

/** The memory that a kernel holds on all GPUs; one unknown part makes the sum a lower bound. */
export function held(kernel: Kernel): IAmount {
  const known = kernel.gpus.filter(one => one.memory_used !== null);
  return {
    value: known.length ? total(known.map(one => one.memory_used ?? 0)) : null,
    atLeast: known.length > 0 && kernel.gpus.some(uncertain)
  };
}

function uncertain(one: Holding): boolean {
  return one.evidence === 'self' || one.memory_used === null;
}

/** The load that a kernel makes on the GPU where it makes most; null if no GPU tells. */
export function load(kernel: Kernel): number | null {
  const known = kernel.gpus.flatMap(one => (one.utilization === null ? [] : [one.utilization]));
  return known.length ? Math.max(...known) : null;
}

/** Which GPUs a kernel is on, by number, a slice standing for its GPU. */
export function places(kernel: Kernel, gpus: readonly Gpu[]): number[] {
  const uuids = kernel.gpus.map(one => one.uuid);
  return gpus.filter(gpu => memories(gpu).some(uuid => uuids.includes(uuid))).map(gpu => gpu.index);
}

/** The memories of a GPU: its own, and those of its slices. */
function memories(gpu: Gpu): string[] {
  return [gpu.uuid, ...(gpu.mig ?? []).map(slice => slice.uuid)];
}

/** Who holds the memory of a GPU or a slice: kernels first, then the others. */
export function segments(place: Gpu | Slice, state: State): ISegment[] {
  const kernels = state.kernels.map(kernel => ({ kernel, bytes: bytesOn(kernel, place.uuid) }));
  const others = state.other.filter(other => other.uuid === place.uuid);
  const rest = { kernel: null, bytes: total(others.map(other => other.memory_used)) };
  return [...kernels, rest].filter(segment => segment.bytes > 0);
}

function bytesOn(kernel: Kernel, uuid: string): number {
  return total(kernel.gpus.filter(one => one.uuid === uuid).map(one => one.memory_used ?? 0));
}

/** The GPU that has most to do, among those that tell; else the first. */
export function busiest(gpus: readonly Gpu[]): Gpu | null {
  return [...gpus].sort((a, b) => (b.utilization ?? -1) - (a.utilization ?? -1))[0] ?? null;
}

/** The sum of what is known; null if nothing is. */
export function sum(values: readonly (number | null)[]): number | null {
  const known = values.filter(value => value !== null);
  return known.length ? total(known) : null;
}

function total(values: readonly number[]): number {
  return values.reduce((all, one) => all + one, 0);
}

/** "2 × H100 80GB" for each model of GPU. */
export function models(gpus: readonly Gpu[], name: (gpu: Gpu) => string): string[] {
  const names = gpus.map(name);
  const counted = [...new Set(names)].map(one => [names.filter(other => other === one).length, one] as const);
  return counted.map(([count, one]) => (count > 1 ? `${count} × ${one}` : one));
}

/** The kernels that hold a GPU, by their first GPU and then as they came, so that rows keep their places. */
export function holders(state: State, slot: (kernelId: string) => number): Kernel[] {
  const place = (kernel: Kernel): number => places(kernel, state.gpus)[0] ?? Infinity;
  const compare = (a: Kernel, b: Kernel): number =>
    rank(place(a), place(b)) || slot(a.kernel_id) - slot(b.kernel_id);
  return state.kernels.filter(holds).sort(compare);
}

function rank(a: number, b: number): number {
  return a === b ? 0 : a - b;
}

/** What names an idle period, so that one is told of once. */
export function idlePeriod(kernel: Kernel): string {
  return `${kernel.kernel_id}@${kernel.idle_since ?? 0}`;
}
