import * as React from 'react';

import type { Point } from '../protocol';

export interface ISparklineProps {
  readonly points: readonly Point[];
  readonly now: number;
  readonly seconds: number;
  readonly label: string;
}

const WIDTH = 100;
const HEIGHT = 32;

/** Two samples further apart than this, in seconds, are not joined: nobody looked in between. */
const GAP = 15;

/** The load over the last minutes: as a line, and as one sentence for who does not see it. */
export function Sparkline(props: ISparklineProps): JSX.Element {
  const runs = unbroken(props.points).map(run => run.map(point => place(point, props)));
  return (
    <svg
      className="jp-LeanMagic-sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={props.label}
    >
      <title>{props.label}</title>
      <line className="jp-LeanMagic-sparklineFloor" x1={0} x2={WIDTH} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} />
      {runs.map((run, index) => (
        <React.Fragment key={index}>
          <polygon points={[`${run[0].x},${HEIGHT}`, path(run), `${run.at(-1)?.x},${HEIGHT}`].join(' ')} />
          <polyline points={path(run)} />
        </React.Fragment>
      ))}
    </svg>
  );
}

/** Cut the points where the load is not known, and where nobody looked. */
function unbroken(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [];
  let last: Point | null = null;
  for (const point of points.filter(point => point.utilization !== null)) {
    if (last && point.seq - last.seq === 1 && point.time - last.time <= GAP) {
      runs[runs.length - 1].push(point);
    } else {
      runs.push([point]);
    }
    last = point;
  }
  return runs.filter(run => run.length > 1);
}

interface IPlace {
  readonly x: string;
  readonly y: string;
}

function place(point: Point, { now, seconds }: ISparklineProps): IPlace {
  const age = Math.min(1, Math.max(0, (now - point.time) / seconds));
  const y = 1 + (HEIGHT - 2) * (1 - Math.min(100, point.utilization ?? 0) / 100);
  return { x: (WIDTH * (1 - age)).toFixed(2), y: y.toFixed(2) };
}

function path(run: readonly IPlace[]): string {
  return run.map(({ x, y }) => `${x},${y}`).join(' ');
}
