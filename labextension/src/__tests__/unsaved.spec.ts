import { describe, expect, it, vi } from 'vitest';

import { keepUnsaved } from '../unsaved';
import { FakeMonitor } from './fake';
import { state } from './golden';

const settled = (): Promise<void> => new Promise(resolve => setTimeout(resolve));

describe('unsaved changes', () => {
  it('call an automatic stop off, once for each countdown, and say so', async () => {
    const monitor = new FakeMonitor();
    const tell = vi.fn();
    keepUnsaved(monitor, path => path === 'research/embed_corpus.ipynb', tell);
    const ending = state('countdown');
    monitor.tell(ending);
    monitor.tell(ending);
    await settled();
    const id = ending.countdowns[0].kernel_id;
    expect(monitor.snooze.mock.calls).toEqual([[id, 3600]]);
    expect(tell).toHaveBeenCalledOnce();
    monitor.tell(state('idle_warning'));
    monitor.tell(ending);
    expect(monitor.snooze).toHaveBeenCalledTimes(2);
  });

  it('matter only to the notebook that has them, and only while it counts down', () => {
    const monitor = new FakeMonitor();
    const none = vi.fn(() => false);
    keepUnsaved(monitor, none, vi.fn());
    monitor.tell(state('countdown'));
    monitor.tell(state('idle_warning'));
    monitor.tell(null);
    expect(none.mock.calls).toEqual([['research/embed_corpus.ipynb']]);
    expect(monitor.snooze).not.toHaveBeenCalled();
  });

  it('are not said to have kept what could not be kept', async () => {
    const monitor = new FakeMonitor();
    const tell = vi.fn();
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    monitor.snooze.mockRejectedValueOnce(new Error('gone'));
    keepUnsaved(monitor, () => true, tell);
    monitor.tell(state('countdown'));
    await settled();
    expect(tell).not.toHaveBeenCalled();
  });
});
