import { describe, expect, it, vi } from 'vitest';

import { Model, TRAIL } from '../model';
import type { Kernel, State } from '../protocol';
import { state } from './golden';

const GPU = 'GPU-5a1c0e6e-0000-4000-8000-000000000000';

/** The state after some more samples. */
function later(from: State, samples: number, kernels = from.kernels): State {
  const moved = (seq: number): number => from.time + 2 * (seq - from.seq);
  const fresh = [...Array(samples).keys()].map(step => from.seq + 1 + step);
  const gpus = from.gpus.map(gpu => ({
    ...gpu,
    history: fresh.map(seq => ({ seq, time: moved(seq), utilization: 50 }))
  }));
  return { ...from, gpus, kernels, seq: from.seq + samples, time: moved(from.seq + samples) };
}

describe('model', () => {
  const first = state('two_gpus_three_kernels');

  it('adds what is new to what was there', () => {
    const model = new Model();
    model.accept(first, 0);
    model.accept(later(first, 3), 6);
    expect(model.trail(GPU).map(point => point.seq)).toEqual([147, 148, 149, 150, 151, 152, 153]);
    expect(model.seq).toBe(153);
  });

  it('takes no sample twice', () => {
    const model = new Model();
    model.accept(first, 0);
    model.accept(first, 2);
    expect(model.trail(GPU)).toHaveLength(4);
  });

  it('forgets what is older than the line shows', () => {
    const model = new Model();
    model.accept(first, 0);
    model.accept(later(first, TRAIL), 6);
    const times = model.trail(GPU).map(point => point.time);
    expect(times.at(-1)! - times[0]).toBe(TRAIL);
  });

  it('begins anew with a server that began anew', () => {
    const model = new Model();
    model.accept(first, 0);
    model.accept({ ...later(first, 0), seq: 2, gpus: first.gpus.map(gpu => ({ ...gpu, history: [] })) }, 2);
    expect(model.trail(GPU)).toEqual([]);
  });

  it('keeps a kernel its colour while it lives, and gives a free one to the next', () => {
    const [a, b, c] = first.kernels;
    const stranger: Kernel = { ...a, kernel_id: 'new' };
    const model = new Model();
    model.accept(first, 0);
    model.accept(later(first, 1, [stranger, c, b]), 2);
    expect([b, c, stranger].map(kernel => model.slot(kernel.kernel_id))).toEqual([1, 2, 0]);
  });

  it('tells a lost server at the second failure, and since when nothing came', () => {
    const model = new Model();
    model.accept(first, 10);
    model.fail('lost', 12);
    expect(model.link).toEqual({ state: 'live', since: 10 });
    model.fail('lost', 16);
    expect(model.link).toEqual({ state: 'lost', since: 10 });
    model.fail('lost', 24);
    expect(model.link.since).toBe(10);
  });

  it.each(['absent', 'refused', 'mismatch'] as const)('tells at once that the server is %s', why => {
    const model = new Model();
    model.fail(why, 1);
    expect(model.link.state).toBe(why);
  });

  it('keeps the last figures while the server is away, and says when it is back', () => {
    const model = new Model();
    const heard = vi.fn();
    model.changed.connect(heard);
    model.accept(first, 0);
    model.fail('lost', 2);
    model.fail('lost', 4);
    expect(model.state).toBe(first);
    model.accept(later(first, 1), 6);
    expect(model.link.state).toBe('live');
    expect(heard).toHaveBeenCalledTimes(4);
  });
});
