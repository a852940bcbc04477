import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { busy, snoozed } from '../figures';
import { bytes, clock } from '../format';
import type { Kernel } from '../protocol';

/** What a person can have done from a row. */
export interface IActions {
  open(kernel: Kernel): void;
  release(kernel: Kernel): void;
  snooze(kernel: Kernel, seconds: number): void;
  pin(kernel: Kernel, pinned: boolean): void;
  shutDown(kernel: Kernel): void;
}

export interface IRemediesProps {
  readonly id: string;
  readonly kernel: Kernel;
  readonly now: number;
  readonly actions: IActions;
  readonly trans: TranslationBundle;
}

const HOURS = [1, 4, 24];
const HOUR = 3600;

/** Less than this is not worth a button. */
const WORTHWHILE = 2 ** 20;

/** What can be done about a kernel that holds a GPU, from mild to final. */
export function Remedies(props: IRemediesProps): JSX.Element {
  const { id, kernel, actions, trans } = props;
  return (
    <div id={id} className="jp-LeanMagic-remedies" role="group" aria-label={trans.__('Remedies for %1', kernel.name)}>
      <Release {...props} />
      <Snooze {...props} />
      <Pin {...props} />
      <button
        className="jp-LeanMagic-button jp-mod-final"
        aria-label={trans.__('Shut down %1…', kernel.name)}
        onClick={() => actions.shutDown(kernel)}
      >
        {trans.__('Shut down…')}
      </button>
    </div>
  );
}

/** Whether a kernel has cache to give back and is free to do it. */
export function canRelease(kernel: Kernel): boolean {
  return kernel.reports && !busy(kernel) && (kernel.releasable_bytes ?? 0) >= WORTHWHILE;
}

function Release({ kernel, actions, trans }: IRemediesProps): JSX.Element | null {
  if (!canRelease(kernel)) {
    return null;
  }
  const size = bytes(kernel.releasable_bytes);
  return (
    <button
      className="jp-LeanMagic-button jp-mod-mild"
      title={trans.__('Memory that the allocator keeps for later; no variable is lost')}
      aria-label={trans.__('Give back %1 of cache of %2', size, kernel.name)}
      onClick={() => actions.release(kernel)}
    >
      {trans.__('Give back %1', size)}
    </button>
  );
}

function Snooze({ kernel, now, actions, trans }: IRemediesProps): JSX.Element {
  const [choosing, choose] = React.useState(false);
  const asleep = snoozed(kernel, now);
  const snooze = (seconds: number): void => {
    choose(false);
    actions.snooze(kernel, seconds);
  };
  if (choosing) {
    return <Hours kernel={kernel} trans={trans} snooze={snooze} cancel={() => choose(false)} />;
  }
  return (
    <button
      className="jp-LeanMagic-button"
      aria-label={asleep ? trans.__('End the snooze of %1', kernel.name) : trans.__('Snooze notices of %1', kernel.name)}
      title={asleep ? trans.__('Snoozed until %1', clock(kernel.snoozed_until)) : trans.__('No notices for a while')}
      onClick={() => (asleep ? snooze(0) : choose(true))}
    >
      {asleep ? trans.__('End snooze') : trans.__('Snooze')}
    </button>
  );
}

interface IHoursProps {
  readonly kernel: Kernel;
  readonly trans: TranslationBundle;
  snooze(seconds: number): void;
  cancel(): void;
}

function Hours({ kernel, trans, snooze, cancel }: IHoursProps): JSX.Element {
  const onKeyDown = (event: React.KeyboardEvent): void => {
    if (event.key === 'Escape') {
      cancel();
    }
  };
  return (
    <span className="jp-LeanMagic-hours" role="group" aria-label={trans.__('Snooze for')} onKeyDown={onKeyDown}>
      {HOURS.map((hours, index) => (
        <button
          key={hours}
          className="jp-LeanMagic-button"
          // the button that was pressed is gone: the first of these takes its place
          autoFocus={index === 0}
          aria-label={trans._n('Snooze notices of %2 for %1 hour', 'Snooze notices of %2 for %1 hours', hours, kernel.name)}
          onClick={() => snooze(hours * HOUR)}
        >
          {trans.__('%1 h', hours)}
        </button>
      ))}
    </span>
  );
}

function Pin({ kernel, actions, trans }: IRemediesProps): JSX.Element {
  return (
    <button
      className={`jp-LeanMagic-button ${kernel.pinned ? 'jp-mod-pressed' : ''}`}
      aria-pressed={kernel.pinned}
      aria-label={trans.__('Pin %1', kernel.name)}
      title={trans.__('A pinned notebook is never warned about or stopped')}
      onClick={() => actions.pin(kernel, !kernel.pinned)}
    >
      {kernel.pinned ? trans.__('Pinned') : trans.__('Pin')}
    </button>
  );
}
