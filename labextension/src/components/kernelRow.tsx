import type { TranslationBundle } from '@jupyterlab/translation';
import { ellipsesIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { busy, held, idleHolder, load, snoozed } from '../figures';
import { bytes, clock, duration, money, moneyPerHour, percent } from '../format';
import type { Countdown, Kernel, State } from '../protocol';
import { cachedFacts, heldText, placesText } from './idleNotice';
import { colour } from './memoryBar';
import { type IActions, Remedies } from './remedies';

export interface IKernelRowProps {
  readonly kernel: Kernel;
  readonly state: State;
  readonly slot: number;
  readonly actions: IActions;
  readonly trans: TranslationBundle;
}

/** One notebook: what it holds, what it does, what it costs, and what can be done about it. */
export function KernelRow(props: IKernelRowProps): JSX.Element {
  const { kernel, trans } = props;
  const idle = idleHolder(kernel);
  // open where there is something to do, until a person says otherwise
  const [chosen, choose] = React.useState<boolean | null>(null);
  const open = chosen ?? idle;
  const id = `jp-LeanMagic-remedies-${kernel.kernel_id}`;
  return (
    <li className={`jp-LeanMagic-row ${idle ? 'jp-mod-idle' : ''} jp-mod-${kernel.verdict}`} title={kernel.reason}>
      <span className={`jp-LeanMagic-swatch ${colour(props.slot)}`} />
      <Name {...props} />
      <span className="jp-LeanMagic-held" title={evidence(kernel, trans)}>
        {heldText(kernel)}
      </span>
      <Details {...props} />
      <button
        className="jp-LeanMagic-more"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={trans.__('What to do about %1', kernel.name)}
        title={trans.__('What to do about it')}
        onClick={() => choose(!open)}
      >
        <ellipsesIcon.react tag="span" />
      </button>
      <Ending {...props} />
      {open && <Remedies {...props} id={id} now={props.state.time} />}
    </li>
  );
}

/** The notebook's name, which opens it; a kernel without one is only named. */
export function Name({ kernel, actions, trans }: Pick<IKernelRowProps, 'kernel' | 'actions' | 'trans'>): JSX.Element {
  if (kernel.path === null) {
    return <span className="jp-LeanMagic-name jp-LeanMagic-ellipsis">{kernel.name}</span>;
  }
  return (
    <button
      className="jp-LeanMagic-name jp-LeanMagic-ellipsis"
      title={trans.__('Open %1', kernel.path)}
      aria-label={trans.__('Open %1', kernel.path)}
      onClick={() => actions.open(kernel)}
    >
      {kernel.name}
    </button>
  );
}

function Details(props: IKernelRowProps): JSX.Element {
  const { kernel, trans } = props;
  const facts = [spent(kernel, trans), ...cachedFacts(kernel, trans)].filter(Boolean);
  return (
    <>
      <span className="jp-LeanMagic-doing jp-LeanMagic-line">
        <Doing {...props} />
      </span>
      <span className="jp-LeanMagic-cost" title={trans.__('An estimate: the share of the GPU that others cannot use')}>
        {moneyPerHour(kernel.cost_per_hour)}
      </span>
      <span className="jp-LeanMagic-facts jp-LeanMagic-line">
        {facts.map(one => (
          <span key={one}>{one}</span>
        ))}
      </span>
    </>
  );
}

function Doing({ kernel, state, trans }: IKernelRowProps): JSX.Element {
  const where = state.gpus.length > 1 ? placesText(kernel, state.gpus, trans) : null;
  const notes = [where, note(kernel, state, trans)].filter(Boolean);
  return (
    <>
      <b>{activity(kernel, trans)}</b>
      {notes.map(one => (
        <span key={one}>{one}</span>
      ))}
    </>
  );
}

/** What the kernel does, in words: the colour only repeats it. */
export function activity(kernel: Kernel, trans: TranslationBundle): string {
  const working = load(kernel);
  const suffix = working === null ? '' : ` · ${percent(working)}`;
  if (busy(kernel)) {
    return trans.__('running') + suffix;
  }
  if (kernel.execution_state !== 'idle') {
    return kernel.execution_state;
  }
  // no cell runs, and yet it is not idle: a thread of its own works on
  return kernel.idle_seconds === null
    ? trans.__('at work in the background') + suffix
    : trans.__('idle %1', duration(kernel.idle_seconds));
}

function note(kernel: Kernel, state: State, trans: TranslationBundle): string | null {
  if (kernel.pinned) {
    return trans.__('pinned');
  }
  return snoozed(kernel, state.time) ? trans.__('snoozed until %1', clock(kernel.snoozed_until)) : null;
}

function spent(kernel: Kernel, trans: TranslationBundle): string | null {
  return kernel.cost === null ? null : trans.__('%1 so far', money(kernel.cost));
}

/** What ends the kernel unless somebody acts. */
function Ending({ kernel, state, actions, trans }: IKernelRowProps): JSX.Element | null {
  const countdown = state.countdowns.find(one => one.kernel_id === kernel.kernel_id);
  if (!countdown && kernel.culled_in === null) {
    return null;
  }
  return (
    <div className="jp-LeanMagic-ending">
      <span>{endingText(kernel, countdown, trans)}</span>
      {countdown && (
        <button
          className="jp-LeanMagic-button jp-mod-keep"
          aria-label={trans.__('Keep %1', kernel.name)}
          onClick={() => actions.snooze(kernel, 3600)}
        >
          {trans.__('Keep')}
        </button>
      )}
    </div>
  );
}

function endingText(kernel: Kernel, countdown: Countdown | undefined, trans: TranslationBundle): string {
  return countdown
    ? trans.__('Shuts down in %1', duration(countdown.seconds_left))
    : trans.__('Jupyter ends it in %1 if it stays idle', duration(kernel.culled_in));
}

/** How the memory is known; a lower bound says whose word it is. */
function evidence(kernel: Kernel, trans: TranslationBundle): string {
  const { value, atLeast } = held(kernel);
  if (value === null) {
    return trans.__('The driver does not tell how much');
  }
  return atLeast ? trans.__('At least %1, as the kernel reports', bytes(value)) : trans.__('GPU memory');
}
