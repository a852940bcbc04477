/** A monitor that is told what to know, and notes what it is asked. */
import { nullTranslator } from '@jupyterlab/translation';
import { Signal } from '@lumino/signaling';
import { vi } from 'vitest';

import type { IActions } from '../components/remedies';
import type { State } from '../protocol';
import type { ILink, IMonitor, IOutcome, IPreferences } from '../tokens';

export const trans = nullTranslator.load('lean_magic');

const DONE: IOutcome = { done: true, busy: false, message: null, freedBytes: null };

export class FakeMonitor implements IMonitor {
  state: State | null = null;
  link: ILink = { state: 'live', since: 0 };
  preferences: IPreferences = { interval: 2, notifications: true, statusBar: true };
  readonly changed = new Signal<this, void>(this);
  look = vi.fn();
  refresh = vi.fn(async () => undefined);
  shutDown = vi.fn(async () => DONE);
  release = vi.fn(async () => DONE);
  snooze = vi.fn(async () => DONE);
  pin = vi.fn(async () => DONE);

  trail(uuid: string): State['gpus'][number]['history'] {
    return this.state?.gpus.find(gpu => gpu.uuid === uuid)?.history ?? [];
  }

  slot(kernelId: string): number {
    return this.state?.kernels.findIndex(kernel => kernel.kernel_id === kernelId) ?? 0;
  }

  tell(state: State | null, link: Partial<ILink> = {}): void {
    this.state = state;
    this.link = { state: 'live', since: 0, ...link };
    this.changed.emit(undefined);
  }
}

export function fakeActions(): { [Name in keyof IActions]: ReturnType<typeof vi.fn> } {
  return { open: vi.fn(), release: vi.fn(), snooze: vi.fn(), pin: vi.fn(), shutDown: vi.fn() };
}
