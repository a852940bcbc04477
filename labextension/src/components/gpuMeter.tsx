import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { type ISegment, segments } from '../figures';
import { bytes, celsius, energy, gibNumber, gpuName, money, percent, UNKNOWN, watts } from '../format';
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

/** From so many GPUs on each takes two lines, for all of them to be seen at once. */
const MANY = 4;

/** One GPU: how much it works, who holds its memory, what it draws. */
export function GpuMeter(props: IGpuMeterProps): JSX.Element {
  const { gpu, trans } = props;
  const title = trans.__('GPU %1', gpu.index);
  const beside = isShort(props) ? inUse(gpu, trans) : gpuName(gpu.name);
  return (
    <li className={`jp-LeanMagic-gpu ${isShort(props) ? 'jp-mod-short' : ''}`} aria-label={`${title}, ${gpuName(gpu.name)}`}>
      <div className="jp-LeanMagic-gpuHeader">
        <span className="jp-LeanMagic-gpuName" title={priced(gpu, trans)}>
          <b>{title}</b> <span className="jp-LeanMagic-ellipsis">{beside}</span>
        </span>
        {gpu.state === 'ok' && (
          <span className="jp-LeanMagic-vitals">
            <span title={drawn(gpu, trans)}>{watts(gpu.power)}</span>
            <span title={trans.__('Temperature')}>{celsius(gpu.temperature)}</span>
          </span>
        )}
      </div>
      {gpu.state === 'ok' ? <Working {...props} /> : <Fault gpu={gpu} />}
    </li>
  );
}

/** Whether the card is a short one; the slices of a GPU that is cut need their room. */
function isShort({ gpu, state }: IGpuMeterProps): boolean {
  return state.gpus.length >= MANY && gpu.state === 'ok' && gpu.mig === null;
}

/** "61.4 of 80.0 GiB" */
function inUse({ memory_used, memory_total }: Gpu | Slice, trans: TranslationBundle): string {
  return trans.__('%1 of %2', gibNumber(memory_used), bytes(memory_total));
}

/** Why a GPU tells nothing; one that sleeps has no fault. */
function Fault({ gpu }: { readonly gpu: Gpu }): JSX.Element {
  const tone = gpu.state === 'asleep' ? 'jp-mod-quiet' : 'jp-mod-wrong';
  return <p className={`jp-LeanMagic-fault ${tone}`}>{gpu.message}</p>;
}

function Working(props: IGpuMeterProps): JSX.Element {
  const { gpu, trans } = props;
  // a GPU that is cut does not tell its load, so there is no line to draw
  const silent = gpu.mig !== null && gpu.utilization === null;
  return (
    <>
      {silent ? <p className="jp-LeanMagic-cut">{cut(gpu.mig ?? [], trans)}</p> : <Load {...props} />}
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

function cut(slices: readonly Slice[], trans: TranslationBundle): string {
  const count = trans._n('Cut into %1 slice', 'Cut into %1 slices', slices.length);
  return `${count} · ${trans.__('its load is not told')}`;
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
  const bar = <MemoryBar used={used} total={total} segments={parts} label={label} trans={trans} slot={props.slot} />;
  if (isShort(props)) {
    return bar;
  }
  return (
    <>
      {bar}
      <div className="jp-LeanMagic-memory">
        <span>
          {name && <b>{name} </b>}
          {inUse(place, trans)}
          {name && place.utilization !== null && ` · ${percent(place.utilization)}`}
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

/** The power, what it may be, and what it came to since the panel began to look. */
function drawn(gpu: Gpu, trans: TranslationBundle): string {
  const power = gpu.power_limit === null ? trans.__('Power') : trans.__('Power, of at most %1', watts(gpu.power_limit));
  return gpu.energy === null ? power : `${power}; ${trans.__('%1 while it was watched, an estimate', energy(gpu.energy))}`;
}
