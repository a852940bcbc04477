import { Token } from '@lumino/coreutils';
import type { ISignal } from '@lumino/signaling';

import type { Point, State } from './protocol';

/** How the page stands with the server, and since when: for `lost`, when the last answer came. The browser's clock. */
export interface ILink {
  readonly state:
    | 'connecting' // nothing has come yet
    | 'live'
    | 'lost' // the server does not answer; tried again, less and less often
    | 'absent' // the server answers, and does not know us
    | 'refused' // the login is over
    | 'mismatch'; // server and page are of different versions
  readonly since: number;
}

/** What a person chose in the settings. */
export interface IPreferences {
  readonly interval: number; // seconds
  readonly notifications: boolean;
  readonly statusBar: boolean;
}

/** What letting go of something brought, in the server's words and bytes. */
export interface IOutcome {
  readonly done: boolean;
  /** It was not done because the kernel runs a cell. */
  readonly busy: boolean;
  readonly message: string | null;
  readonly freedBytes: number | null;
}

/** What the GPUs do, for whoever wants to show it, and what can be done about it. */
export interface IMonitor {
  /** The newest state; null until the first one comes. */
  readonly state: State | null;
  readonly link: ILink;
  readonly preferences: IPreferences;
  /** Emitted after every answer, failure and change of preferences. */
  readonly changed: ISignal<IMonitor, void>;
  /** What one GPU did in the last minutes, oldest first. */
  trail(uuid: string): readonly Point[];
  /** A small number that stays with a kernel for as long as it lives: its colour. */
  slot(kernelId: string): number;
  refresh(): Promise<void>;
  /** While somebody looks, the figures come at the full rate. */
  look(looking: boolean): void;
  /** End a kernel; one that is busy only if that was said too. */
  shutDown(kernelId: string, busyToo: boolean): Promise<IOutcome>;
  release(kernelId: string): Promise<IOutcome>;
  /** Be quiet about a kernel for some seconds; 0 ends that. */
  snooze(kernelId: string, seconds: number): Promise<IOutcome>;
  pin(kernelId: string, pinned: boolean): Promise<IOutcome>;
}

export const IMonitor = new Token<IMonitor>(
  'lean-magic:IMonitor',
  'What the GPUs of this server do, which notebook holds them, and what can be done about it.'
);
