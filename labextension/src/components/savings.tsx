import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { duration, money } from '../format';
import type { Saved, Savings as Figures } from '../protocol';

export interface ISavingsProps {
  readonly savings: Figures;
  readonly trans: TranslationBundle;
}

/** What the cache saved: time, and what that time on a GPU would have cost. */
export function Savings({ savings, trans }: ISavingsProps): JSX.Element {
  return (
    <section className="jp-LeanMagic-savings" aria-label={trans.__('Saved by the cache')}>
      {savings.total.hits ? (
        <>
          <Figure name={trans.__('Saved today')} saved={savings.today} trans={trans} />
          <Figure name={trans.__('Saved in total')} saved={savings.total} trans={trans} />
        </>
      ) : (
        <p>
          {trans.__('Nothing saved yet.')} <code>%%cached</code> {trans.__('on a slow cell begins it.')}
        </p>
      )}
    </section>
  );
}

interface IFigureProps {
  readonly name: string;
  readonly saved: Saved;
  readonly trans: TranslationBundle;
}

function Figure({ name, saved, trans }: IFigureProps): JSX.Element {
  const hits = trans._n('%1 cell came from the cache', '%1 cells came from the cache', saved.hits);
  return (
    <div className="jp-LeanMagic-saved" title={`${hits} · ${trans.__('money is an estimate')}`}>
      <span>{name}</span>
      <b>{duration(saved.seconds)}</b>
      {saved.dollars !== null && <span>{money(saved.dollars)}</span>}
    </div>
  );
}
