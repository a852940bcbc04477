import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { type ISegment, segments } from '../figures';
import { bytes, celsius, gibNumber, gpuName, money, percent, UNKNOWN, watts } from '../format';
import type { Gpu, Point, Slice, State } from '../protocol';
import { MemoryBar } from './memoryBar';
import { Sparkline } from './sparkline';

export interface IGpuMeterProps {
  readonly gpu: Gpu;
  readonly state: State;
  readonly points: readonly Point[];
  /** How many seconds the line shows. */
  readonly seconds: number;
  readonly trans: TranslationBundle;
  slot(kernelId: string): number;
}

/** One GPU: how much it works, who holds its memory, what it draws. */
export function GpuMeter(props: IGpuMeterProps): JSX.Element {
  const { gpu, trans } = props;
  const title = trans.__('GPU %1', gpu.index);
  return (
    <li className="jp-LeanMagic-gpu" aria-label={`${title}, ${gpuName(gpu.name)}`}>
      <div className="jp-LeanMagic-gpuHeader">
        <span className="jp-LeanMagic-gpuName" title={priced(gpu, trans)}>
          <b>{title}</b> <span className="jp-LeanMagic-ellipsis">{gpuName(gpu.name)}</span>
        </span>
        {gpu.state === 'ok' && (
          <span className="jp-LeanMagic-vitals">
            <span title={limit(gpu, trans)}>{watts(gpu.power)}</span>
            <span title={trans.__('Temperature')}>{celsius(gpu.temperature)}</span>
          </span>
        )}
      </div>
      {gpu.state === 'ok' ? <Working {...props} /> : <p className="jp-LeanMagic-fault">{gpu.message}</p>}
    </li>
  );
}

function Working(props: IGpuMeterProps): JSX.Element {
  const { gpu, trans } = props;
  return (
    <>
      <Load {...props} />
      {gpu.mig ? (
        <ul className="jp-LeanMagic-slices" aria-label={trans.__('Slices of GPU %1', gpu.index)}>
          {gpu.mig.map(slice => (
            <li key={slice.uuid}>
              <Memory {...props} place={slice} name={slice.name} />
            </li>
          ))}
        </ul>
      ) : (
        <Memory {...props} place={gpu} name={null} />
      )}
    </>
  );
}

function Load({ gpu, points, seconds, state, trans }: IGpuMeterProps): JSX.Element {
  const minutes = Math.round(seconds / 60);
  const label =
    gpu.utilization === null
      ? trans.__('Load: this device does not tell')
      : trans.__('Load of the last %1 minutes, now %2', minutes, percent(gpu.utilization));
  return (
    <div className="jp-LeanMagic-load" title={label}>
      <span className="jp-LeanMagic-loadNumber">
        {gpu.utilization === null ? UNKNOWN : Math.round(gpu.utilization)}
        {gpu.utilization !== null && <small> %</small>}
      </span>
      <Sparkline points={points} now={state.time} seconds={seconds} label={label} />
    </div>
  );
}

interface IMemoryProps extends IGpuMeterProps {
  readonly place: Gpu | Slice;
  readonly name: string | null;
}

function Memory(props: IMemoryProps): JSX.Element {
  const { gpu, place, name, trans } = props;
  const parts: ISegment[] = segments(place, props.state);
  const used = place.memory_used;
  const total = place.memory_total;
  const free = used === null || total === null ? null : Math.max(0, total - used);
  const label = name ? trans.__('Memory of slice %1', name) : trans.__('Memory of GPU %1', gpu.index);
  return (
    <>
      <MemoryBar used={used} total={total} segments={parts} label={label} trans={trans} slot={props.slot} />
      <div className="jp-LeanMagic-memory">
        <span>
          {name && <b>{name} </b>}
          {trans.__('%1 of %2', gibNumber(used), bytes(total))}
        </span>
        <span>{gpu.unified ? trans.__('shared with the machine') : trans.__('%1 free', bytes(free))}</span>
      </div>
    </>
  );
}

function priced(gpu: Gpu, trans: TranslationBundle): string {
  const price = gpu.price_per_hour;
  return price === null
    ? trans.__('%1: no price is known for this model; the server’s settings can name one.', gpu.name)
    : trans.__('%1: %2 an hour for the whole GPU, an estimate; the server’s settings can name another.', gpu.name, money(price));
}

function limit(gpu: Gpu, trans: TranslationBundle): string {
  return gpu.power_limit === null ? trans.__('Power') : trans.__('Power, of at most %1', watts(gpu.power_limit));
}
