/**
 * The status bar: how busy the busiest GPU is, and whether somebody holds one idly.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { busiest, idleHolder } from './figures';
import { bytes, gibNumber, percent, UNKNOWN } from './format';
import type { Gpu } from './protocol';
import type { IMonitor } from './tokens';

export interface IStatusProps {
  readonly monitor: IMonitor;
  readonly trans: TranslationBundle;
  open(): void;
}

export class StatusItem extends ReactWidget {
  constructor(private readonly _props: IStatusProps) {
    super();
    this.addClass('jp-LeanMagic-statusItem');
  }

  render(): JSX.Element {
    return <UseSignal signal={this._props.monitor.changed}>{() => <Figure {...this._props} />}</UseSignal>;
  }
}

/** Whether there is a figure to show, and somebody wants it. */
export function wanted({ state, preferences }: IMonitor): boolean {
  return preferences.statusBar && (state?.gpus.length ?? 0) > 0;
}

export function Figure({ monitor, trans, open }: IStatusProps): JSX.Element {
  const gpus = monitor.state?.gpus ?? [];
  const idle = monitor.state?.kernels.filter(idleHolder).length ?? 0;
  const live = monitor.link.state === 'live' && monitor.state?.status.state === 'ok';
  const figure = live ? percent(busiest(gpus)?.utilization) : UNKNOWN;
  return (
    <button className="jp-LeanMagic-status" title={everyGpu(gpus, live, trans)} onClick={open}>
      {trans.__('GPU %1', figure)}
      {live && idle > 0 && <b> · {trans.__('%1 idle', idle)}</b>}
    </button>
  );
}

function everyGpu(gpus: readonly Gpu[], live: boolean, trans: TranslationBundle): string {
  const lines = gpus.map(gpu => {
    const memory = trans.__('%1 of %2', gibNumber(gpu.memory_used), bytes(gpu.memory_total));
    return `${trans.__('GPU %1', gpu.index)} · ${percent(gpu.utilization)} · ${memory}`;
  });
  return live ? lines.join('\n') : trans.__('No fresh figures; the panel says why');
}
