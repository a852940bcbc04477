/**
 * The way to the server: the only file that knows URLs.
 *
 * One poll for the whole page. It stands by while the page is hidden or nobody wants figures, and backs off while the
 * server does not answer.
 */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import { Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import { Model } from './model';
import { parse, type Point, type State, WireError } from './protocol';
import type { ILink, IMonitor, IOutcome, IPreferences } from './tokens';

const ROOT = 'lean-magic/api';

/** While the panel is closed the status bar and the notices make do with a poll every so many seconds: few enough for
 *  the server to go on sampling, so that the lines are whole when the panel is opened. */
const UNHURRIED = 10;

/** The longest pause between two tries, in seconds. */
const LONGEST = 30;

/** A request may take this long, in seconds; the server answers from memory, or not at all. */
const TIMEOUT = 10;

/** Shutting down waits for the kernel to finish, so it is given more. */
const TIMEOUT_OF_VERBS = 120;

export const DEFAULTS: IPreferences = { interval: 2, notifications: true, statusBar: true };

/** Bad request, no such kernel any more, busy. */
const REFUSALS = [400, 404, 409];

type Failure = 'lost' | 'absent' | 'refused' | 'mismatch';

export class Client implements IMonitor {
  constructor(private readonly _settings: ServerConnection.ISettings) {
    this._model.changed.connect(() => this._changed.emit(undefined));
    this._poll = new Poll({
      name: 'lean-magic:state',
      factory: () => this._ask(),
      frequency: this._frequency(),
      standby: () => (this._wanted() ? 'when-hidden' : true)
    });
  }

  get state(): State | null {
    return this._model.state;
  }

  get link(): ILink {
    return this._model.link;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get preferences(): IPreferences {
    return this._preferences;
  }

  prefer(preferences: IPreferences): void {
    this._preferences = preferences;
    this._hurry();
    this._changed.emit(undefined);
  }

  trail(uuid: string): readonly Point[] {
    return this._model.trail(uuid);
  }

  slot(kernelId: string): number {
    return this._model.slot(kernelId);
  }

  look(looking: boolean): void {
    if (looking !== this._looking) {
      this._looking = looking;
      this._hurry();
    }
  }

  async refresh(): Promise<void> {
    await this._poll.refresh();
    await this._poll.tick.catch(() => undefined); // the model has been told why
  }

  shutDown(kernelId: string, busyToo: boolean): Promise<IOutcome> {
    return this._post(kernelId, 'shutdown', { busy_too: busyToo });
  }

  release(kernelId: string): Promise<IOutcome> {
    return this._post(kernelId, 'release', {});
  }

  snooze(kernelId: string, seconds: number): Promise<IOutcome> {
    return this._post(kernelId, 'snooze', { seconds });
  }

  pin(kernelId: string, pinned: boolean): Promise<IOutcome> {
    return this._post(kernelId, 'pin', { pinned });
  }

  dispose(): void {
    this._poll.dispose();
    Signal.clearData(this);
  }

  private _wanted(): boolean {
    return this._looking || this._preferences.notifications || this._preferences.statusBar;
  }

  private _frequency(): { interval: number; backoff: number; max: number } {
    const { interval } = this._preferences;
    const seconds = this._looking ? interval : Math.max(interval, UNHURRIED);
    return { interval: 1000 * seconds, backoff: 2, max: 1000 * Math.max(LONGEST, seconds) };
  }

  private _hurry(): void {
    this._poll.frequency = this._frequency();
    if (this._looking) {
      void this._poll.refresh();
    }
  }

  private async _ask(): Promise<void> {
    try {
      const since = this._model.seq;
      const json = await this._request('state' + (since === null ? '' : `?since=${since}`), {}, TIMEOUT);
      this._model.accept(parse(json), Date.now() / 1000);
    } catch (error) {
      this._model.fail(failure(error), Date.now() / 1000);
      throw error; // so that the poll backs off
    }
  }

  private async _post(kernelId: string, verb: string, body: object): Promise<IOutcome> {
    const path = `kernels/${encodeURIComponent(kernelId)}/${verb}`;
    const init = { method: 'POST', body: JSON.stringify(body) };
    try {
      return outcome(await this._request(path, init, TIMEOUT_OF_VERBS));
    } finally {
      void this._poll.refresh();
    }
  }

  private async _request(path: string, init: RequestInit, seconds: number): Promise<unknown> {
    const url = URLExt.join(this._settings.baseUrl, ROOT, path);
    const given = { ...init, cache: 'no-store' as const, signal: AbortSignal.timeout(1000 * seconds) };
    const response = await ServerConnection.makeRequest(url, given, this._settings);
    // the refusal of a verb is an answer too: it says why
    if (!response.ok && !(init.method === 'POST' && REFUSALS.includes(response.status))) {
      throw new ServerConnection.ResponseError(response);
    }
    return response.json();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _model = new Model();
  private readonly _poll: Poll;
  private _preferences = DEFAULTS;
  private _looking = false;
}

function failure(error: unknown): Failure {
  if (error instanceof WireError) {
    return 'mismatch';
  }
  const status = error instanceof ServerConnection.ResponseError ? error.response.status : 0;
  if (status === 404) {
    return 'absent';
  }
  return status === 401 || status === 403 ? 'refused' : 'lost';
}

/** Read the answer to a verb; what it does not say is not known. */
function outcome(json: unknown): IOutcome {
  const { error, message, freed } = (json ?? {}) as Record<string, unknown>;
  return {
    done: error === undefined,
    busy: error === 'busy',
    message: typeof message === 'string' ? message : null,
    freedBytes: typeof freed === 'number' ? freed : null
  };
}
