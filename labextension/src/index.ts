/**
 * The plug-ins: small ones, so that each can be switched off alone, and so that a page that lacks a part does without.
 */
import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';

import { Actions } from './actions';
import { Client, DEFAULTS } from './client';
import { actionsOf, addCommands, COMMANDS } from './commands';
import { followEvents } from './events';
import { gpuIcon } from './icon';
import { Notices } from './notices';
import { Panel } from './panel';
import { StatusItem, wanted } from './status';
import { IMonitor, type IPreferences } from './tokens';
import { keepUnsaved } from './unsaved';

export { IMonitor } from './tokens';

const ID = 'lean-magic:plugin';

/** How long a person may read a word on what happened by itself, in milliseconds. */
const READING = 20_000;

function translated(translator: ITranslator | null): TranslationBundle {
  return (translator ?? nullTranslator).load('lean_magic');
}

/** What the settings say; what they do not say, or say wrongly, is the default. */
function preferences(settings: ISettingRegistry.ISettings): IPreferences {
  const { interval, notifications, statusBar } = settings.composite as Partial<IPreferences>;
  return {
    interval: Math.max(1, Number(interval) || DEFAULTS.interval),
    notifications: notifications ?? DEFAULTS.notifications,
    statusBar: statusBar ?? DEFAULTS.statusBar
  };
}

const monitor: JupyterFrontEndPlugin<IMonitor> = {
  id: ID,
  description: 'Asks the server what the GPUs do.',
  autoStart: true,
  provides: IMonitor,
  optional: [ISettingRegistry],
  activate: (app: JupyterFrontEnd, registry: ISettingRegistry | null) => {
    const client = new Client(app.serviceManager.serverSettings);
    const follow = (settings: ISettingRegistry.ISettings): void => client.prefer(preferences(settings));
    registry?.load(ID).then(
      settings => {
        follow(settings);
        settings.changed.connect(follow);
      },
      error => console.warn('lean_magic: the settings cannot be read, the defaults stand', error)
    );
    return client;
  }
};

const commands: JupyterFrontEndPlugin<void> = {
  id: 'lean-magic:commands',
  description: 'What can be done about a GPU that somebody holds.',
  autoStart: true,
  requires: [IMonitor],
  optional: [ICommandPalette, ITranslator],
  activate: (app: JupyterFrontEnd, monitor: IMonitor, palette: ICommandPalette | null, translator: ITranslator | null) => {
    const trans = translated(translator);
    const { sessions, kernels } = app.serviceManager;
    const lookAgain = async (): Promise<void> => {
      await Promise.all([sessions.refreshRunning(), kernels.refreshRunning()]);
    };
    const actions = new Actions(monitor, trans, lookAgain);
    followEvents(app.serviceManager.events, monitor, lookAgain);
    const current = (): string | null => pathOf(app.shell.currentWidget);
    const added = addCommands({ commands: app.commands, monitor, actions, trans, current });
    added.forEach(command => palette?.addItem({ command, category: trans.__('GPU') }));
  }
};

/** What a widget shows a document by; asked by shape, so that any kind of document will do. */
interface IShows {
  readonly context?: { readonly path?: unknown; readonly model?: { readonly dirty?: unknown } };
}

function pathOf(widget: unknown): string | null {
  const path = (widget as IShows | null)?.context?.path;
  return typeof path === 'string' ? path : null;
}

function isUnsaved(app: JupyterFrontEnd, path: string): boolean {
  const shown = [...app.shell.widgets('main')].filter(widget => pathOf(widget) === path);
  return shown.some(widget => (widget as IShows).context?.model?.dirty === true);
}

const panel: JupyterFrontEndPlugin<void> = {
  id: 'lean-magic:panel',
  description: 'The GPU panel in the sidebar.',
  autoStart: true,
  requires: [IMonitor],
  optional: [ILayoutRestorer, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    monitor: IMonitor,
    restorer: ILayoutRestorer | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    const trans = translated(translator);
    const widget = new Panel({ monitor, actions: actionsOf(app.commands), trans });
    // right after the list of what runs
    app.shell.add(widget, 'left', { rank: 250, type: 'GPU' });
    restorer?.add(widget, widget.id);
    app.commands.addCommand(COMMANDS.open, {
      label: trans.__('Show GPUs'),
      icon: gpuIcon,
      execute: () => app.shell.activateById(widget.id)
    });
    palette?.addItem({ command: COMMANDS.open, category: trans.__('GPU') });
  }
};

const status: JupyterFrontEndPlugin<void> = {
  id: 'lean-magic:status',
  description: 'The busiest GPU in the status bar.',
  autoStart: true,
  requires: [IMonitor],
  optional: [IStatusBar, ITranslator],
  activate: (app: JupyterFrontEnd, monitor: IMonitor, bar: IStatusBar | null, translator: ITranslator | null) => {
    const open = (): void => void app.commands.execute(COMMANDS.open);
    bar?.registerStatusItem('lean-magic:status', {
      item: new StatusItem({ monitor, trans: translated(translator), open }),
      align: 'left',
      rank: 30,
      isActive: () => wanted(monitor),
      activeStateChanged: monitor.changed
    });
  }
};

const notices: JupyterFrontEndPlugin<void> = {
  id: 'lean-magic:notices',
  description: 'Warns of notebooks that hold a GPU and do not use it.',
  autoStart: true,
  requires: [IMonitor],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, monitor: IMonitor, translator: ITranslator | null) => {
    new Notices(monitor, actionsOf(app.commands), translated(translator));
  }
};

const unsaved: JupyterFrontEndPlugin<void> = {
  id: 'lean-magic:unsaved',
  description: 'Keeps notebooks with unsaved changes from being shut down automatically.',
  autoStart: true,
  requires: [IMonitor],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, monitor: IMonitor, translator: ITranslator | null) => {
    const trans = translated(translator);
    const tell = ({ name }: { readonly name: string }): void =>
      void Notification.info(trans.__('%1 has unsaved changes, so it is not shut down for an hour.', name), {
        autoClose: READING
      });
    keepUnsaved(monitor, path => isUnsaved(app, path), tell);
  }
};

export default [monitor, commands, panel, status, notices, unsaved];
