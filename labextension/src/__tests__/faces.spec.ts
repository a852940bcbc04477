/** What reaches a person outside the panel: notices, dialogs, commands. */
import { Dialog, Notification } from '@jupyterlab/apputils';
import { CommandRegistry } from '@lumino/commands';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Actions } from '../actions';
import { actionsOf, addCommands, COMMANDS } from '../commands';
import { Notices } from '../notices';
import type { Kernel, State } from '../protocol';
import { fakeActions, FakeMonitor, trans } from './fake';
import { state } from './golden';

let monitor: FakeMonitor;

beforeEach(() => {
  monitor = new FakeMonitor();
});

afterEach(() => {
  Notification.manager.dismiss();
  Dialog.flush();
});

function told(): string[] {
  return Notification.manager.notifications.map(one => one.message);
}

function changed(change: Partial<Kernel>): State {
  const warning = state('idle_warning');
  return {
    ...warning,
    kernels: warning.kernels.map(one => (one.name === 'embed_corpus.ipynb' ? { ...one, ...change } : one))
  };
}

describe('notices', () => {
  let actions: ReturnType<typeof fakeActions>;

  beforeEach(() => {
    actions = fakeActions();
    new Notices(monitor, actions, trans);
  });

  it('tell once who holds what for how long, and what a restart takes', () => {
    monitor.tell(state('idle_warning'));
    monitor.tell(state('idle_warning'));
    expect(told()).toEqual([
      'embed_corpus.ipynb has held 21.8 GiB of GPU 0 for 34 min without using it (≈ $0.62). 9 of 11 cells cached, restart ≈ 40 s.'
    ]);
  });

  it('offer what can be done, from mild to final', () => {
    monitor.tell(state('idle_warning'));
    const choices = Notification.manager.notifications[0].options.actions ?? [];
    expect(choices.map(one => one.label)).toEqual(['Snooze', 'Free 9.3 GiB', 'Shut down…']);
    choices[2].callback(new MouseEvent('click'));
    expect(actions.shutDown).toHaveBeenCalledWith(expect.objectContaining({ name: 'embed_corpus.ipynb' }));
  });

  it('are taken back when the kernel works again', () => {
    monitor.tell(state('idle_warning'));
    monitor.tell(changed({ verdict: 'keep' }));
    expect(told()).toEqual([]);
  });

  it('come again for another idle period, and not for one that was waved away', () => {
    monitor.tell(state('idle_warning'));
    Notification.manager.dismiss();
    monitor.tell(state('idle_warning'));
    expect(told()).toEqual([]);
    monitor.tell(changed({ idle_since: 1 }));
    expect(told()).toHaveLength(1);
  });

  it('say once more that an automatic stop is on its way', () => {
    monitor.tell(changed({ idle_since: 1789996340 }));
    monitor.tell(state('countdown'));
    expect(told()).toHaveLength(1);
    expect(told()[0]).toMatch(/^embed_corpus\.ipynb will be shut down/);
  });

  it('can be switched off', () => {
    monitor.preferences = { ...monitor.preferences, notifications: false };
    monitor.tell(state('idle_warning'));
    expect(told()).toEqual([]);
  });

  it('stay silent while the server is away', () => {
    monitor.tell(state('idle_warning'), { state: 'lost' });
    expect(told()).toEqual([]);
  });
});

describe('shutting down', () => {
  const lookAgain = vi.fn(async () => undefined);

  function kernel(name: string): Kernel {
    monitor.state = state('idle_warning');
    return monitor.state.kernels.find(one => one.name === name)!;
  }

  async function answer(accept: boolean): Promise<string> {
    const dialog = await vi.waitFor(() => document.querySelector('.jp-Dialog') ?? Promise.reject(new Error('no dialog')));
    const text = dialog.textContent ?? '';
    dialog.querySelector<HTMLElement>(accept ? '.jp-mod-accept' : '.jp-mod-reject')!.click();
    await vi.waitFor(() => expect(document.querySelector('.jp-Dialog')).not.toBe(dialog));
    return text;
  }

  it('says what is lost and what is gained, and does nothing if told not to', async () => {
    const actions = new Actions(monitor, trans, lookAgain);
    const done = actions.shutDown(kernel('embed_corpus.ipynb'));
    const text = await answer(false);
    await done;
    for (const part of ['Shut down embed_corpus.ipynb?', 'All variables', '9 of 11 cells cached, restart ≈ 40 s', '21.8 GiB of GPU 0']) {
      expect(text).toContain(part);
    }
    expect(monitor.shutDown).not.toHaveBeenCalled();
  });

  it('names a busy kernel as busy', async () => {
    const actions = new Actions(monitor, trans, lookAgain);
    const done = actions.shutDown(kernel('train_reranker.ipynb'));
    expect(await answer(true)).toContain('train_reranker.ipynb is busy');
    await done;
    expect(monitor.shutDown).toHaveBeenCalledWith(expect.any(String), true);
  });

  it('asks again if the kernel has begun to work since', async () => {
    monitor.shutDown.mockResolvedValueOnce({ done: false, busy: true, message: 'busy', freedBytes: null });
    const actions = new Actions(monitor, trans, lookAgain);
    const done = actions.shutDown(kernel('embed_corpus.ipynb'));
    await answer(true);
    expect(await answer(true)).toContain('embed_corpus.ipynb is busy');
    await done;
    expect(monitor.shutDown.mock.calls.map(call => (call as unknown[])[1])).toEqual([false, true]);
  });

  it('reports what came free, and has open notebooks look again', async () => {
    monitor.shutDown.mockResolvedValueOnce({ done: true, busy: false, message: 'x', freedBytes: 2 ** 31 });
    const done = new Actions(monitor, trans, lookAgain).shutDown(kernel('embed_corpus.ipynb'));
    await answer(true);
    await done;
    expect(told()).toEqual(['embed_corpus.ipynb: 2.0 GiB of GPU memory are free again.']);
    expect(lookAgain).toHaveBeenCalled();
  });

  it('says so when the server did not do it', async () => {
    monitor.release.mockRejectedValueOnce(new Error('it is away'));
    await new Actions(monitor, trans, lookAgain).release(kernel('embed_corpus.ipynb'));
    expect(told()[0]).toContain('it is away');
  });
});

describe('commands', () => {
  let commands: CommandRegistry;
  let front: string | null;

  beforeEach(() => {
    commands = new CommandRegistry();
    front = null;
    monitor.state = state('idle_warning');
    const actions = new Actions(monitor, trans, async () => undefined);
    addCommands({ commands, monitor, actions, trans, current: () => front });
  });

  it('act on the notebook in front', async () => {
    expect(commands.isEnabled(COMMANDS.pin)).toBe(false);
    front = 'research/embed_corpus.ipynb';
    expect(commands.label(COMMANDS.release)).toBe('Give Back GPU Cache of This Notebook (9.3 GiB)');
    await commands.execute(COMMANDS.pin);
    expect(monitor.pin).toHaveBeenCalledWith(monitor.state?.kernels[1].kernel_id, true);
  });

  it('act on the kernel that is named', async () => {
    const kernel = monitor.state!.kernels[1];
    actionsOf(commands).snooze(kernel, 60);
    await vi.waitFor(() => expect(monitor.snooze).toHaveBeenCalledWith(kernel.kernel_id, 60));
  });

  it('do nothing to a kernel that is gone', async () => {
    await commands.execute(COMMANDS.release, { kernelId: 'gone' });
    expect(monitor.release).not.toHaveBeenCalled();
  });
});
