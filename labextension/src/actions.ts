/**
 * What happens when a remedy is chosen: ask where something is lost, do it, say what came of it.
 */
import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { lossText } from './components/loss';
import { busy } from './figures';
import { bytes } from './format';
import type { Kernel } from './protocol';
import type { IMonitor, IOutcome } from './tokens';

/** How long a person may read what came of it, in milliseconds. */
const READING = 6000;

export class Actions {
  constructor(
    private readonly _monitor: IMonitor,
    private readonly _trans: TranslationBundle,
    /** Have JupyterLab look which kernels there are, so that an open notebook says at once that it has none. */
    private readonly _lookAgain: () => Promise<void>
  ) {}

  kernel(kernelId: string): Kernel | null {
    return this._monitor.state?.kernels.find(kernel => kernel.kernel_id === kernelId) ?? null;
  }

  async shutDown(kernel: Kernel): Promise<void> {
    const wasBusy = busy(kernel);
    if (!(await this._confirmed(kernel, wasBusy))) {
      return;
    }
    await this._reported(kernel, async () => {
      const outcome = await this._monitor.shutDown(kernel.kernel_id, wasBusy);
      // it has begun to work since the person was asked: that is another question
      const again = outcome.busy && !wasBusy && (await this._confirmed(kernel, true));
      return again ? this._monitor.shutDown(kernel.kernel_id, true) : outcome;
    });
    await this._lookAgain();
  }

  async release(kernel: Kernel): Promise<void> {
    await this._reported(kernel, () => this._monitor.release(kernel.kernel_id));
  }

  async snooze(kernel: Kernel, seconds: number): Promise<void> {
    await this._quietly(kernel, () => this._monitor.snooze(kernel.kernel_id, seconds));
  }

  async pin(kernel: Kernel, pinned: boolean): Promise<void> {
    await this._quietly(kernel, () => this._monitor.pin(kernel.kernel_id, pinned));
  }

  private async _confirmed(kernel: Kernel, busyToo: boolean): Promise<boolean> {
    const trans = this._trans;
    const gpus = this._monitor.state?.gpus ?? [];
    const { button } = await showDialog({
      title: busyToo
        ? trans.__('%1 is busy. Shut it down all the same?', kernel.name)
        : trans.__('Shut down %1?', kernel.name),
      body: lossText(kernel, gpus, busyToo, trans),
      buttons: [
        Dialog.cancelButton(),
        Dialog.warnButton({ label: busyToo ? trans.__('Shut Down Busy Kernel') : trans.__('Shut Down') })
      ],
      defaultButton: 0
    });
    return button.accept;
  }

  /** Do it and say what came of it, good or bad. */
  private async _reported(kernel: Kernel, deed: () => Promise<IOutcome>): Promise<void> {
    const outcome = await this._quietly(kernel, deed);
    if (outcome?.done) {
      Notification.success(this._told(kernel, outcome), { autoClose: READING });
    }
  }

  /** Do it; say something only if it did not work. */
  private async _quietly(kernel: Kernel, deed: () => Promise<IOutcome>): Promise<IOutcome | null> {
    try {
      const outcome = await deed();
      if (!outcome.done) {
        Notification.warning(this._told(kernel, outcome), { autoClose: READING });
      }
      return outcome;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      Notification.error(this._trans.__('%1: the server did not do it. %2', kernel.name, why), { autoClose: false });
      return null;
    }
  }

  private _told(kernel: Kernel, { done, message, freedBytes }: IOutcome): string {
    const trans = this._trans;
    if (freedBytes) {
      return trans.__('%1: %2 of GPU memory are free again.', kernel.name, bytes(freedBytes));
    }
    if (message) {
      return message;
    }
    return `${kernel.name}: ${done ? trans.__('done.') : trans.__('nothing was done.')}`;
  }
}
