import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { clock, duration } from '../format';
import { gpuIcon } from '../icon';
import type { State, Status } from '../protocol';

/** How the page stands with the server; the same words as in tokens. */
export interface ILinked {
  readonly state: 'connecting' | 'live' | 'lost' | 'absent' | 'refused' | 'mismatch';
  readonly since: number;
}

/** Why there are no figures, or why they are old. */
export interface ICondition {
  readonly title: string;
  readonly sentence: string;
  readonly tone: 'quiet' | 'wrong';
  /** For how long it has been so, where that matters. */
  readonly length?: string;
  /** Whether older figures are still worth showing below it. */
  readonly figures: boolean;
}

/** Find what stands between the person and fresh figures; null if nothing does. */
export function condition(
  state: State | null,
  link: ILinked,
  now: number,
  trans: TranslationBundle
): ICondition | null {
  return ofLink(state, link, now, trans) ?? (state ? ofStatus(state, trans) : null);
}

function ofLink(state: State | null, link: ILinked, now: number, trans: TranslationBundle): ICondition | null {
  switch (link.state) {
    case 'live':
      return null;
    case 'connecting':
      return said(trans.__('Starting…'), trans.__('Asking the Jupyter server about its GPUs.'), 'quiet');
    case 'absent':
      return said(trans.__('The server part is missing'), absent(trans), 'wrong');
    case 'refused':
      return said(trans.__('Signed out'), trans.__('Log in to Jupyter again, then reload this page.'), 'wrong');
    case 'mismatch':
      return said(trans.__('Please reload'), trans.__('Server and page are of different versions of lean_magic. Reload the page; if this stays, restart the server.'), 'wrong');
    case 'lost':
      return lost(state, link, now, trans);
  }
}

function absent(trans: TranslationBundle): string {
  return trans.__('This Jupyter server runs without lean_magic. Install it where the server runs, then restart the server.');
}

function lost(state: State | null, link: ILinked, now: number, trans: TranslationBundle): ICondition {
  const silence = trans.__('The Jupyter server has not answered for %1.', duration(now - link.since));
  const old = state ? ' ' + trans.__('Figures below are from %1.', clock(state.time)) : '';
  return { ...said(trans.__('Reconnecting…'), silence + old, 'wrong'), figures: state !== null };
}

function ofStatus(state: State, trans: TranslationBundle): ICondition | null {
  const { status } = state;
  // where the kernels are elsewhere, it does not matter that there is no GPU here
  const away = ['ok', 'no_gpu', 'driver_missing'].includes(status.state) ? remote(state, trans) : null;
  if (away || status.state === 'ok') {
    return away;
  }
  const tone = ['starting', 'no_gpu', 'driver_missing'].includes(status.state) ? 'quiet' : 'wrong';
  const hangs = status.state === 'driver_hanging' && status.since !== null;
  const length = hangs ? duration(state.time - (status.since ?? 0)) : undefined;
  return { ...said(title(status, trans), status.message, tone), length, figures: state.gpus.length > 0 };
}

function title(status: Status, trans: TranslationBundle): string {
  const titles: Record<Status['state'], string> = {
    ok: '',
    starting: trans.__('Starting…'),
    no_gpu: trans.__('No GPU here'),
    driver_missing: trans.__('No GPU to show'),
    driver_not_loaded: trans.__('Driver not loaded'),
    driver_mismatch: trans.__('Driver and library differ'),
    no_permission: trans.__('No permission'),
    driver_hanging: trans.__('Driver not answering'),
    bindings_missing: trans.__('nvidia-ml-py is missing'),
    probe_failed: trans.__('The probe ends again and again')
  };
  return titles[status.state];
}

/** Kernels elsewhere use GPUs that this server cannot see. */
function remote(state: State, trans: TranslationBundle): ICondition | null {
  if (!state.kernels.length || !state.kernels.every(kernel => kernel.remote)) {
    return null;
  }
  const sentence = trans.__('The kernels run on another machine; which GPU memory they hold cannot be seen from here.');
  return { ...said(trans.__('Kernels are elsewhere'), sentence, 'quiet'), figures: true };
}

function said(title: string, sentence: string, tone: ICondition['tone']): ICondition {
  return { title, sentence, tone, figures: false };
}

/** A designed page instead of a blank one; above older figures, a band. */
export function Condition({ title, sentence, tone, length, figures }: ICondition): JSX.Element {
  return (
    <div className={`jp-LeanMagic-condition jp-mod-${tone} ${figures ? 'jp-mod-band' : ''}`}>
      {!figures && <gpuIcon.react tag="span" className="jp-LeanMagic-picture" />}
      {/* the title alone is spoken when it changes: what counts seconds would never be silent */}
      <b role="status">{title}</b>
      {length && <span className="jp-LeanMagic-length">{length}</span>}
      <p>{sentence}</p>
    </div>
  );
}
