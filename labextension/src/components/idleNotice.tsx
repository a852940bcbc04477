/**
 * What to say of a kernel that holds a GPU and does nothing, in one sentence for a notification.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import { held, places } from '../figures';
import { bytes, duration, money } from '../format';
import type { Countdown, Gpu, Kernel } from '../protocol';

/** "≥ 7.0 GiB": what is only known to be no less says so. */
export function heldText(kernel: Kernel): string {
  const { value, atLeast } = held(kernel);
  return (atLeast ? '≥ ' : '') + bytes(value);
}

/** "GPU 0", "GPU 0, 3"; nothing where no GPU of this machine is meant. */
export function placesText(kernel: Kernel, gpus: readonly Gpu[], trans: TranslationBundle): string {
  const numbers = places(kernel, gpus);
  return numbers.length ? trans.__('GPU %1', numbers.join(', ')) : trans.__('a GPU');
}

/** "9 of 11 cells cached", "restart ≈ 40 s": what ending the kernel would cost, as far as it is known. */
export function cachedFacts({ cached }: Kernel, trans: TranslationBundle): string[] {
  if (!cached || !cached.cells) {
    return [];
  }
  const count = trans.__('%1 of %2 cells cached', cached.hit_cells, cached.cells);
  const restart = cached.restart_seconds;
  return restart === null ? [count] : [count, trans.__('restart ≈ %1', duration(restart))];
}

/** The same in one piece of a sentence; null where it is not known. */
export function cachedText(kernel: Kernel, trans: TranslationBundle): string | null {
  return cachedFacts(kernel, trans).join(', ') || null;
}

/** The whole notice: who, what, for how long, at what cost, and what a restart would take. */
export function noticeText(kernel: Kernel, gpus: readonly Gpu[], trans: TranslationBundle): string {
  const held = trans.__(
    '%1 has held %2 of %3 for %4 without using it',
    kernel.name,
    heldText(kernel),
    placesText(kernel, gpus, trans),
    duration(kernel.idle_seconds)
  );
  // less than a cent is not worth its place
  const cost = kernel.idle_cost === null || kernel.idle_cost < 0.005 ? '' : ` (${money(kernel.idle_cost)})`;
  const cached = cachedText(kernel, trans);
  return `${held}${cost}.${cached ? ` ${cached}.` : ''}`;
}

/** The notice of an automatic stop that is on its way. */
export function countdownText(countdown: Countdown, trans: TranslationBundle): string {
  return trans.__(
    '%1 will be shut down in %2: it %3.',
    countdown.name,
    duration(countdown.seconds_left),
    countdown.reason
  );
}
