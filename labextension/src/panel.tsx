/**
 * The sidebar: what is shown where, and what is shown instead when there is nothing to show.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Condition, condition } from './components/condition';
import { GpuMeter } from './components/gpuMeter';
import { Notebooks } from './components/notebooks';
import type { IActions } from './components/remedies';
import { Savings } from './components/savings';
import { idleHolder, models, sum } from './figures';
import { gpuName, moneyPerHour } from './format';
import { gpuIcon } from './icon';
import type { Gpu, State } from './protocol';
import type { IMonitor } from './tokens';

/** How many seconds the line of a GPU shows. */
const SECONDS = 300;

export interface IPanelProps {
  readonly monitor: IMonitor;
  readonly actions: IActions;
  readonly trans: TranslationBundle;
}

/** The panel in the sidebar. While it is shown, figures come at the full rate. */
export class Panel extends ReactWidget {
  constructor(private readonly _props: IPanelProps) {
    super();
    const { monitor, trans } = _props;
    this.id = 'jp-LeanMagic-panel';
    this.addClass('jp-LeanMagic-panel');
    this.title.icon = gpuIcon;
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('GPUs and the notebooks that hold them'));
    monitor.changed.connect(this._badge, this);
    this._badge();
  }

  render(): JSX.Element {
    return <UseSignal signal={this._props.monitor.changed}>{() => <Page {...this._props} />}</UseSignal>;
  }

  protected onAfterShow(): void {
    this._props.monitor.look(true);
  }

  protected onAfterHide(): void {
    this._props.monitor.look(false);
  }

  /** The tab tells of idle holders while the panel is closed: by a dot, and in words. */
  private _badge(): void {
    const { monitor, trans } = this._props;
    const idle = monitor.state?.kernels.filter(idleHolder).length ?? 0;
    const told = trans._n('%1 notebook holds a GPU idly', '%1 notebooks hold a GPU idly', idle);
    this.title.caption = idle ? `${trans.__('GPUs')}: ${told}` : trans.__('GPUs');
    this.title.className = idle ? 'jp-LeanMagic-tab jp-mod-told' : 'jp-LeanMagic-tab';
  }
}

/** All of the panel, from what the monitor knows now. */
export function Page({ monitor, actions, trans }: IPanelProps): JSX.Element {
  const { state, link } = monitor;
  const now = useClock(link.state === 'lost');
  const why = condition(state, link, now, trans);
  const shown = why === null || why.figures;
  return (
    <>
      <Header state={shown ? state : null} trans={trans} />
      <div className="jp-LeanMagic-content">
        {why && <Condition {...why} />}
        {state && link.state !== 'mismatch' && <Savings savings={state.savings} trans={trans} />}
        {state && shown && (
          <div className={why?.tone === 'wrong' ? 'jp-LeanMagic-old' : ''}>
            <Gpus state={state} monitor={monitor} trans={trans} />
            <Notebooks state={state} slot={id => monitor.slot(id)} actions={actions} trans={trans} />
          </div>
        )}
      </div>
    </>
  );
}

interface IHeaderProps {
  readonly state: State | null;
  readonly trans: TranslationBundle;
}

function Header({ state, trans }: IHeaderProps): JSX.Element {
  const gpus = state?.gpus ?? [];
  const price = sum(gpus.map(gpu => gpu.price_per_hour));
  const title = [state?.status.message, price === null ? null : trans.__('the price is an estimate')];
  return (
    <header className="jp-LeanMagic-header">
      <h2>{trans.__('GPUs')}</h2>
      <span className="jp-LeanMagic-summary" title={title.filter(Boolean).join('; ')}>
        <span className="jp-LeanMagic-ellipsis">{models(gpus, gpu => gpuName(gpu.name)).join(' · ')}</span>
        {price !== null && <span>{moneyPerHour(price)}</span>}
      </span>
    </header>
  );
}

interface IGpusProps {
  readonly state: State;
  readonly monitor: IMonitor;
  readonly trans: TranslationBundle;
}

function Gpus({ state, monitor, trans }: IGpusProps): JSX.Element {
  return (
    <ul className="jp-LeanMagic-gpus" aria-label={trans.__('GPUs')}>
      {state.gpus.map((gpu: Gpu) => (
        <GpuMeter
          key={gpu.uuid}
          gpu={gpu}
          state={state}
          points={monitor.trail(gpu.uuid)}
          seconds={SECONDS}
          slot={id => monitor.slot(id)}
          trans={trans}
        />
      ))}
    </ul>
  );
}

/** The browser's clock in seconds since 1970; it moves by itself only where nothing else makes the page move. */
function useClock(ticking: boolean): number {
  const [, tick] = React.useState(0);
  React.useEffect(() => {
    const timer = ticking ? window.setInterval(() => tick(count => count + 1), 1000) : undefined;
    return () => window.clearInterval(timer);
  }, [ticking]);
  return Date.now() / 1000;
}
