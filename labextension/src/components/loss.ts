/**
 * What a person loses and gains by shutting a kernel down.
 */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Gpu, Kernel } from '../protocol';
import { cachedText, heldText, placesText } from './idleNotice';

export function lossText(
  kernel: Kernel,
  gpus: readonly Gpu[],
  busyToo: boolean,
  trans: TranslationBundle
): string {
  const cached = cachedText(kernel, trans);
  const held = trans.__('This frees %1 of %2.', heldText(kernel), placesText(kernel, gpus, trans));
  return [
    busyToo ? trans.__('A cell is running. It is interrupted, and what it has computed so far is lost.') : '',
    trans.__('All variables of the notebook are lost; the notebook itself and its outputs stay.'),
    cached ? trans.__('To get back: %1.', cached) : trans.__('How long it takes to get back is not known.'),
    kernel.gpus.length ? held : '',
    kernel.reports ? trans.__('The kernel is asked to finish first.') : ''
  ]
    .filter(Boolean)
    .join(' ');
}
