import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ISegment } from '../figures';
import { bytes, share } from '../format';
import type { Kernel } from '../protocol';

export interface IMemoryBarProps {
  readonly used: number | null;
  readonly total: number | null;
  readonly segments: readonly ISegment[];
  readonly label: string;
  readonly trans: TranslationBundle;
  slot(kernelId: string): number;
}

/** There are ten colours; who comes later shares one, so a title and a row always say the name too. */
export function colour(slot: number): string {
  return `jp-LeanMagic-colour${slot % 10}`;
}

/** The memory of a GPU, split by who holds it. */
export function MemoryBar(props: IMemoryBarProps): JSX.Element {
  const { used, total, segments, trans } = props;
  const part = share(used, total);
  return (
    <div
      className="jp-LeanMagic-bar"
      role="meter"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={part === null ? undefined : Math.round(part)}
      aria-valuetext={spoken(props)}
    >
      {part !== null &&
        segments.map(segment => (
          <div
            key={segment.kernel?.kernel_id ?? ''}
            className={`jp-LeanMagic-segment ${segmentColour(segment.kernel, props)}`}
            style={{ width: `${share(segment.bytes, total)}%` }}
            title={`${holder(segment.kernel, trans)} · ${bytes(segment.bytes)}`}
          />
        ))}
      <Rest {...props} />
    </div>
  );
}

/** What is in use and was not traced to anybody: the driver's own, or the machine's where memory is shared. */
function Rest({ used, total, segments, trans }: IMemoryBarProps): JSX.Element | null {
  const rest = (used ?? 0) - segments.reduce((all, one) => all + one.bytes, 0);
  if (rest <= 0 || !total) {
    return null;
  }
  return (
    <div
      className="jp-LeanMagic-segment jp-LeanMagic-colourRest"
      style={{ width: `${share(rest, total)}%` }}
      title={`${trans.__('Not traced to a process')} · ${bytes(rest)}`}
    />
  );
}

function segmentColour(kernel: Kernel | null, props: IMemoryBarProps): string {
  return kernel ? colour(props.slot(kernel.kernel_id)) : 'jp-LeanMagic-colourOther';
}

function holder(kernel: Kernel | null, trans: TranslationBundle): string {
  return kernel ? kernel.name : trans.__('Other processes');
}

function spoken({ used, total, segments, trans }: IMemoryBarProps): string {
  const whole = trans.__('%1 of %2 in use', bytes(used), bytes(total));
  return [whole, ...segments.map(one => `${holder(one.kernel, trans)} ${bytes(one.bytes)}`)].join(', ');
}
