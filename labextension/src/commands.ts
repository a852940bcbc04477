/**
 * Everything that can be done, as commands: for the panel, the notices, the palette, menus and keys.
 */
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

import type { Actions } from './actions';
import { canRelease, type IActions } from './components/remedies';
import { bytes } from './format';
import type { Kernel } from './protocol';
import type { IMonitor } from './tokens';

export const COMMANDS = {
  open: 'lean-magic:open',
  refresh: 'lean-magic:refresh',
  release: 'lean-magic:release-cache',
  snooze: 'lean-magic:snooze',
  pin: 'lean-magic:pin',
  shutDown: 'lean-magic:shutdown-kernel'
} as const;

export interface ICommandContext {
  readonly commands: CommandRegistry;
  readonly monitor: IMonitor;
  readonly actions: Actions;
  readonly trans: TranslationBundle;
  /** The path of the notebook in front; null if there is none. */
  current(): string | null;
}

type Args = ReadonlyPartialJSONObject;
type Chosen = (args: Args) => Kernel | null;

const HOUR = 3600;

/** Register all commands but `open`, which belongs to whoever has the panel. Returns those for the palette. */
export function addCommands(context: ICommandContext): string[] {
  const { commands, monitor, trans } = context;
  commands.addCommand(COMMANDS.refresh, {
    label: trans.__('Refresh GPU Figures'),
    execute: () => monitor.refresh()
  });
  const chosen: Chosen = args => kernelOf(context, args);
  addRelease(context, chosen);
  addSnooze(context, chosen);
  addPin(context, chosen);
  addShutDown(context, chosen);
  return [COMMANDS.refresh, COMMANDS.release, COMMANDS.snooze, COMMANDS.pin, COMMANDS.shutDown];
}

/** The kernel that is named, else the one of the notebook in front. */
function kernelOf({ monitor, actions, current }: ICommandContext, args: Args): Kernel | null {
  if (typeof args.kernelId === 'string') {
    return actions.kernel(args.kernelId);
  }
  const path = current();
  return (path && monitor.state?.kernels.find(kernel => kernel.path === path)) || null;
}

function addRelease({ commands, actions, trans }: ICommandContext, chosen: Chosen): void {
  commands.addCommand(COMMANDS.release, {
    label: args => {
      const kernel = chosen(args);
      const size = kernel && canRelease(kernel) ? ` (${bytes(kernel.releasable_bytes)})` : '';
      return trans.__('Give Back GPU Cache of This Notebook') + size;
    },
    isEnabled: args => {
      const kernel = chosen(args);
      return kernel !== null && canRelease(kernel);
    },
    execute: args => doTo(chosen(args), kernel => actions.release(kernel))
  });
}

function addSnooze({ commands, actions, trans }: ICommandContext, chosen: Chosen): void {
  commands.addCommand(COMMANDS.snooze, {
    label: trans.__('Snooze GPU Notices of This Notebook'),
    isEnabled: args => chosen(args) !== null,
    execute: args =>
      doTo(chosen(args), kernel => actions.snooze(kernel, typeof args.seconds === 'number' ? args.seconds : HOUR))
  });
}

function addPin({ commands, actions, trans }: ICommandContext, chosen: Chosen): void {
  commands.addCommand(COMMANDS.pin, {
    label: trans.__('Pin This Notebook: Never Warn About Its GPU Memory'),
    isToggled: args => chosen(args)?.pinned ?? false,
    isEnabled: args => chosen(args) !== null,
    execute: args =>
      doTo(chosen(args), kernel =>
        actions.pin(kernel, typeof args.pinned === 'boolean' ? args.pinned : !kernel.pinned)
      )
  });
}

function addShutDown({ commands, actions, trans }: ICommandContext, chosen: Chosen): void {
  commands.addCommand(COMMANDS.shutDown, {
    label: trans.__('Shut Down This Notebook’s Kernel and Free Its GPU…'),
    isEnabled: args => chosen(args) !== null,
    execute: args => doTo(chosen(args), kernel => actions.shutDown(kernel))
  });
}

async function doTo(kernel: Kernel | null, deed: (kernel: Kernel) => Promise<void>): Promise<void> {
  if (kernel) {
    await deed(kernel);
  }
}

/** The remedies of panel and notices, as commands: so one place does them, and extensions may listen. */
export function actionsOf(commands: CommandRegistry): IActions {
  const run = (command: string, args: Args): void => void commands.execute(command, args);
  const on = ({ kernel_id }: Kernel): { kernelId: string } => ({ kernelId: kernel_id });
  return {
    open: kernel => {
      if (kernel.path !== null) {
        run('docmanager:open', { path: kernel.path });
      }
    },
    release: kernel => run(COMMANDS.release, on(kernel)),
    snooze: (kernel, seconds) => run(COMMANDS.snooze, { ...on(kernel), seconds }),
    pin: (kernel, pinned) => run(COMMANDS.pin, { ...on(kernel), pinned }),
    shutDown: kernel => run(COMMANDS.shutDown, on(kernel))
  };
}
