/**
 * Warnings that find a person wherever in JupyterLab they are: one for each kernel and idle period.
 */
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { countdownText, noticeText } from './components/idleNotice';
import { canRelease, type IActions } from './components/remedies';
import { idlePeriod } from './figures';
import { bytes } from './format';
import type { Kernel, State } from './protocol';
import type { IMonitor } from './tokens';

const HOUR = 3600;

/** One that was told: what for, in which words, and under which id, so that it can be taken back. */
interface ITold {
  readonly what: string;
  readonly message: string;
  readonly id: string;
}

/** JupyterLab cuts what is longer. */
const LONGEST = 140;

export class Notices {
  constructor(
    private readonly _monitor: IMonitor,
    private readonly _actions: IActions,
    private readonly _trans: TranslationBundle
  ) {
    _monitor.changed.connect(this._look, this);
  }

  private _look(): void {
    const { state, link, preferences } = this._monitor;
    if (!state || link.state !== 'live') {
      return; // what is not known is neither told nor taken back
    }
    const due = preferences.notifications ? state.kernels.filter(worthTelling) : [];
    this._takeBack(new Set(due.map(kernel => kernel.kernel_id)));
    due.forEach(kernel => this._tell(kernel, state));
  }

  /** The reason is gone: the kernel works again, was let go of, or is to be left alone. */
  private _takeBack(due: ReadonlySet<string>): void {
    for (const [kernelId, told] of this._told) {
      if (!due.has(kernelId)) {
        Notification.dismiss(told.id);
        this._told.delete(kernelId);
      }
    }
  }

  private _tell(kernel: Kernel, state: State): void {
    const countdown = state.countdowns.find(one => one.kernel_id === kernel.kernel_id);
    const what = idlePeriod(kernel) + (countdown ? ' countdown' : '');
    const told = this._told.get(kernel.kernel_id);
    if (told?.what === what && !countdown) {
      return;
    }
    const message = shortened(
      countdown ? countdownText(countdown, this._trans) : noticeText(kernel, state.gpus, this._trans)
    );
    if (told?.what === what) {
      this._count(kernel, told, message);
      return;
    }
    if (told) {
      Notification.dismiss(told.id);
    }
    const id = Notification.emit(message, countdown ? 'error' : 'warning', {
      autoClose: false,
      actions: this._choices(kernel, countdown !== undefined)
    });
    this._told.set(kernel.kernel_id, { what, message, id });
  }

  /** The time that is left goes down in the notice too. */
  private _count(kernel: Kernel, told: ITold, message: string): void {
    if (message !== told.message) {
      Notification.update({ id: told.id, message });
      this._told.set(kernel.kernel_id, { ...told, message });
    }
  }

  private _choices(kernel: Kernel, ending: boolean): Notification.IAction[] {
    const trans = this._trans;
    const snooze = {
      label: ending ? trans.__('Keep') : trans.__('Snooze'),
      caption: trans.__('No notices of it for an hour'),
      callback: () => this._actions.snooze(kernel, HOUR)
    };
    const release = {
      // short: three buttons share the width of a notice
      label: trans.__('Free %1', bytes(kernel.releasable_bytes)),
      caption: trans.__('Give back memory that the allocator keeps for later; no variable is lost'),
      callback: () => this._actions.release(kernel)
    };
    const shutDown = {
      label: trans.__('Shut down…'),
      displayType: 'warn' as const,
      callback: () => this._actions.shutDown(kernel)
    };
    return [snooze, ...(canRelease(kernel) ? [release] : []), shutDown];
  }

  private readonly _told = new Map<string, ITold>();
}

function worthTelling(kernel: Kernel): boolean {
  return kernel.verdict === 'warn' || kernel.verdict === 'stop';
}

function shortened(message: string): string {
  return message.length > LONGEST ? `${message.slice(0, LONGEST - 1)}…` : message;
}
