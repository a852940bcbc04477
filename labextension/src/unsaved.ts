/**
 * A notebook with unsaved changes is not shut down by itself: somebody was not done with it.
 *
 * Only an open page knows of such changes, so it is the page that calls the stop off.
 */
import type { Kernel } from './protocol';
import type { IMonitor } from './tokens';

const HOUR = 3600;

/** Call each automatic stop of an unsaved notebook off, for an hour, and tell of it once. */
export function keepUnsaved(
  monitor: IMonitor,
  isUnsaved: (path: string) => boolean,
  tell: (kernel: Kernel) => void
): void {
  const kept = new Set<string>();
  monitor.changed.connect(() => {
    const { state } = monitor;
    const ending = (state?.countdowns ?? []).map(one => one.kernel_id);
    // a countdown that was called off and comes again, an hour later, is another one
    [...kept].filter(id => !ending.includes(id)).forEach(id => kept.delete(id));
    for (const kernel of state?.kernels ?? []) {
      const isDue = ending.includes(kernel.kernel_id) && !kept.has(kernel.kernel_id);
      if (isDue && kernel.path !== null && isUnsaved(kernel.path)) {
        kept.add(kernel.kernel_id);
        // if it cannot be called off the countdown stays on screen, with its own way out
        monitor.snooze(kernel.kernel_id, HOUR).then(
          outcome => outcome.done && tell(kernel),
          error => console.warn('lean_magic: the stop was not called off', error)
        );
      }
    }
  });
}
