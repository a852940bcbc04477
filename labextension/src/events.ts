/**
 * What the server says unasked, so that the page need not wait for the next poll.
 */
import type { Event } from '@jupyterlab/services';

import type { IMonitor } from './tokens';

const WARNING = 'urn:lean_magic:gpu_warning:v1';
const KERNEL = 'https://events.jupyter.org/jupyter_server/kernel_actions/v1';

/** A kernel that the server ended by itself: without `lookAgain` its notebook would go on saying "idle" for a while. */
export function followEvents(events: Event.IManager, monitor: IMonitor, lookAgain: () => Promise<void>): void {
  events.stream.connect((_, event) => {
    const ended = event.schema_id === KERNEL && event.action === 'shutdown';
    if (ended) {
      void lookAgain();
    }
    if (ended || event.schema_id === WARNING) {
      void monitor.refresh();
    }
  });
}
