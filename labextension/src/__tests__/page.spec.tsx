import * as React from 'react';
import { act } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type IMonitor } from '../tokens';
import { Page } from '../panel';
import type { Kernel, State } from '../protocol';
import { Figure } from '../status';
import { fakeActions, FakeMonitor, trans } from './fake';
import { NAMES, state } from './golden';

(globalThis as Record<string, unknown>).IS_REACT_ACT_ENVIRONMENT = true;

let root: Root;
let page: HTMLElement;
let monitor: FakeMonitor;
let actions: ReturnType<typeof fakeActions>;

beforeEach(() => {
  page = document.body.appendChild(document.createElement('div'));
  root = createRoot(page);
  monitor = new FakeMonitor();
  actions = fakeActions();
});

afterEach(() => {
  act(() => root.unmount());
  page.remove();
});

function show(told: State | null, link: Partial<IMonitor['link']> = {}): void {
  monitor.tell(told, link);
  act(() => root.render(<Page monitor={monitor} actions={actions} trans={trans} />));
}

function button(label: RegExp): HTMLButtonElement {
  const all = [...page.querySelectorAll('button')];
  const found = all.find(one => label.test(one.getAttribute('aria-label') ?? one.textContent ?? ''));
  expect(found, `no button ${label} among ${all.map(one => one.getAttribute('aria-label'))}`).toBeDefined();
  return found!;
}

function click(label: RegExp): void {
  act(() => button(label).click());
}

function kernel(name: string, change: Partial<Kernel>): State {
  const told = state('idle_warning');
  return { ...told, kernels: told.kernels.map(one => (one.name === name ? { ...one, ...change } : one)) };
}

describe('figures', () => {
  it('shows each GPU with its load, memory, power and heat', () => {
    show(state('two_gpus_three_kernels'));
    const [first, second] = page.querySelectorAll('.jp-LeanMagic-gpu');
    for (const text of ['GPU 0', 'H100 80GB', '412 W', '62 °C', '87 %', '61.4 of 80.0 GiB', '18.6 GiB free']) {
      expect(first.textContent).toContain(text);
    }
    expect(second.textContent).toContain('0 %');
  });

  it('splits the memory by notebook, in the colours of the rows', () => {
    show(state('two_gpus_three_kernels'));
    const parts = [...page.querySelector('.jp-LeanMagic-bar')!.children];
    expect(parts.map(part => part.getAttribute('title'))).toEqual([
      'train_reranker.ipynb · 38.0 GiB',
      'embed_corpus.ipynb · 21.8 GiB',
      'Other processes · 1.6 GiB'
    ]);
    const colours = [...page.querySelectorAll('.jp-LeanMagic-row > .jp-LeanMagic-swatch')].map(one => one.className);
    expect(colours[1]).toContain('jp-LeanMagic-colour1');
    expect(parts[1].className).toContain('jp-LeanMagic-colour1');
  });

  it('says of a notebook what it does, holds and costs, and what a restart would cost', () => {
    show(state('idle_warning'));
    const row = page.querySelector('.jp-mod-idle')!.textContent;
    for (const text of ['embed_corpus.ipynb', '21.8 GiB', 'idle 34 min', '≈ $1.09/h', '≈ $1.06 so far', '9 of 11 cells cached', 'restart ≈ 40 s']) {
      expect(row).toContain(text);
    }
  });

  it('shows many GPUs in short, so that all are seen at once', () => {
    const told = state('two_gpus_three_kernels');
    const gpus = [0, 1, 2, 3].map(index => ({ ...told.gpus[index % 2], index, uuid: `GPU-${index}` }));
    show({ ...told, gpus });
    const [first] = page.querySelectorAll('.jp-LeanMagic-gpu.jp-mod-short');
    expect(first.textContent).toContain('GPU 0 61.4 of 80.0 GiB412 W62 °C87 %');
    expect(first.querySelector('.jp-LeanMagic-memory')).toBe(null);
    expect(page.querySelector('.jp-LeanMagic-header')!.textContent).toContain('4 × H100 80GB');
  });

  it('marks a lower bound as one', () => {
    show(state('two_gpus_three_kernels'));
    expect(page.textContent).toContain('≥ 7.0 GiB');
  });

  it('says a dash for what is not known, and never a zero', () => {
    show(state('lost_and_unified'));
    expect(page.querySelector('.jp-LeanMagic-row')!.textContent).toMatch(/—.*—/);
    expect(page.textContent).toContain('fallen off the bus');
    expect(page.textContent).toContain('shared with the machine');
    expect(page.textContent).not.toContain('0 W');
  });

  it('shows the slices of a GPU that is cut, each with its own memory', () => {
    show(state('mig'));
    const slices = [...page.querySelectorAll('.jp-LeanMagic-slices > li')].map(one => one.textContent);
    expect(slices).toEqual(['1g.10gb 3.0 of 9.8 GiB6.8 GiB free', '2g.20gb 0.1 of 19.5 GiB19.4 GiB free']);
    expect(page.textContent).toContain('Cut into 2 slices · its load is not told');
  });

  it('says what the cache saved, today and in total', () => {
    show(state('two_gpus_three_kernels'));
    expect(page.querySelector('.jp-LeanMagic-savings')!.textContent).toBe(
      'Saved today3 h 12 min≈ $12.60Saved in total4 d 16 h≈ $301.75'
    );
  });

  it('names a silent worker as one', () => {
    show(kernel('embed_corpus.ipynb', { verdict: 'keep', idle_seconds: null, execution_state: 'idle' }));
    expect(page.textContent).toContain('at work in the background');
  });
});

describe('conditions', () => {
  it.each(NAMES)('has something to say in the state %s', name => {
    show(state(name));
    expect(page.querySelector('.jp-LeanMagic-header')!.textContent).toContain('GPUs');
    const told = state(name).status;
    expect(page.textContent).toContain(told.state === 'ok' || name === 'elsewhere' ? 'Notebooks' : told.message);
  });

  it.each([
    ['connecting', 'Starting…'],
    ['absent', 'The server part is missing'],
    ['refused', 'Signed out'],
    ['mismatch', 'Please reload'],
    ['lost', 'Reconnecting…']
  ] as const)('has something to say while the server is %s', (link, title) => {
    show(null, { state: link });
    expect(page.querySelector('.jp-LeanMagic-condition > b')!.textContent).toBe(title);
  });

  it('keeps the last figures, marked as old, while the server is away', () => {
    show(state('two_gpus_three_kernels'), { state: 'lost', since: Date.now() / 1000 - 12 });
    expect(page.querySelector('.jp-LeanMagic-condition')!.textContent).toContain('has not answered for 12 s');
    expect(page.querySelector('.jp-LeanMagic-old .jp-LeanMagic-gpu')).not.toBeNull();
  });

  it('says for how long the driver has not answered', () => {
    show(state('driver_hanging'));
    expect(page.querySelector('.jp-LeanMagic-condition > b')!.textContent).toBe('Driver not answering');
    expect(page.querySelector('.jp-LeanMagic-length')!.textContent).toBe('38 s');
  });

  it('says that kernels elsewhere cannot be seen into', () => {
    show(state('elsewhere'));
    expect(page.textContent).toContain('Kernels are elsewhere');
    expect(page.querySelector('details')!.open).toBe(true);
    expect([...page.querySelectorAll('details li')].map(one => one.textContent)).toEqual([
      'train_reranker.ipynbrunning',
      'try it.ipynbidle 4 s'
    ]);
  });

  it('lets a GPU sleep, which is no fault', () => {
    show(state('laptop'));
    expect(page.querySelector('.jp-LeanMagic-fault.jp-mod-quiet')!.textContent).toContain('powered down');
    expect(page.textContent).toContain('RTX 4060 Laptop');
    expect(page.textContent).toContain('No notebook is running.');
  });

  it('says that nobody holds a GPU, and folds away who does not', () => {
    const told = state('two_gpus_three_kernels');
    show({ ...told, kernels: told.kernels.map(one => ({ ...one, gpus: [] })) });
    expect(page.textContent).toContain('No notebook holds GPU memory.');
    expect(page.querySelector('summary')!.textContent).toBe('3 notebooks without GPU memory');
  });
});

describe('remedies', () => {
  it('stand open at an idle holder only, from mild to final', () => {
    show(state('idle_warning'));
    const [only, ...more] = page.querySelectorAll('.jp-LeanMagic-remedies');
    expect(more).toEqual([]);
    expect([...only.querySelectorAll('button')].map(one => one.textContent)).toEqual([
      'Give back 9.3 GiB',
      'Snooze',
      'Pin',
      'Shut down…'
    ]);
  });

  it('open and close for any notebook', () => {
    show(state('idle_warning'));
    click(/What to do about train_reranker/);
    expect(button(/What to do about train_reranker/).getAttribute('aria-expanded')).toBe('true');
    click(/What to do about train_reranker/);
    expect(page.querySelectorAll('.jp-LeanMagic-remedies')).toHaveLength(1);
  });

  it('do what they say to the notebook they stand at', () => {
    show(state('idle_warning'));
    const idle = expect.objectContaining({ name: 'embed_corpus.ipynb' });
    click(/Give back 9.3 GiB of cache of embed_corpus/);
    click(/^Pin embed_corpus/);
    click(/^Shut down embed_corpus/);
    click(/^Open research\/embed_corpus/);
    expect(actions.release).toHaveBeenCalledWith(idle);
    expect(actions.pin).toHaveBeenCalledWith(idle, true);
    expect(actions.shutDown).toHaveBeenCalledWith(idle);
    expect(actions.open).toHaveBeenCalledWith(idle);
  });

  it('snooze for a time that is chosen, by keyboard too', () => {
    show(state('idle_warning'));
    click(/^Snooze notices of embed_corpus/);
    expect(document.activeElement?.textContent).toBe('1 h');
    click(/for 4 hours/);
    expect(actions.snooze).toHaveBeenCalledWith(expect.objectContaining({ name: 'embed_corpus.ipynb' }), 4 * 3600);
  });

  it('do not offer cache that a busy kernel cannot give back', () => {
    show(kernel('embed_corpus.ipynb', { execution_state: 'busy' }));
    expect(page.textContent).not.toContain('Give back');
  });

  it('keep a kernel whose end is being counted down', () => {
    show(state('countdown'));
    expect(page.textContent).toContain('Shuts down in 4 min');
    click(/^Keep embed_corpus/);
    expect(actions.snooze).toHaveBeenCalledWith(expect.objectContaining({ name: 'embed_corpus.ipynb' }), 3600);
  });

  it('leave the focus in the list when the row goes away', () => {
    show(state('idle_warning'));
    act(() => button(/^Shut down embed_corpus/).focus());
    const told = state('idle_warning');
    show({ ...told, kernels: told.kernels.filter(one => one.name !== 'embed_corpus.ipynb') });
    expect(document.activeElement?.className).toBe('jp-LeanMagic-rows');
  });
});

describe('for everyone', () => {
  it('says each meter and each line in words', () => {
    show(state('two_gpus_three_kernels'));
    const meter = page.querySelector('[role=meter]')!;
    expect(meter.getAttribute('aria-valuenow')).toBe('77');
    expect(meter.getAttribute('aria-valuetext')).toContain('embed_corpus.ipynb 21.8 GiB');
    expect(page.querySelector('[role=img]')!.getAttribute('aria-label')).toBe('Load of the last 5 minutes, now 87 %');
  });

  it('never shouts ticking numbers', () => {
    show(state('countdown'));
    expect(page.querySelector('[aria-live], [role=alert], [role=status]')).toBeNull();
  });

  it('gives every button a name', () => {
    show(state('countdown'));
    const nameless = [...page.querySelectorAll('button')].filter(one => !(one.getAttribute('aria-label') ?? one.textContent));
    expect(nameless).toEqual([]);
  });
});

describe('status bar', () => {
  function figure(told: State | null, link: Partial<IMonitor['link']> = {}): string {
    monitor.tell(told, link);
    act(() => root.render(<Figure monitor={monitor} trans={trans} open={actions.open} />));
    return page.textContent ?? '';
  }

  it('shows the busiest GPU, and who is idle', () => {
    expect(figure(state('two_gpus_three_kernels'))).toBe('GPU 87 %');
    expect(figure(state('idle_warning'))).toBe('GPU 87 % · 1 idle');
  });

  it('shows no old figure', () => {
    expect(figure(state('driver_hanging'))).toBe('GPU —');
    expect(figure(state('idle_warning'), { state: 'lost' })).toBe('GPU —');
  });
});
