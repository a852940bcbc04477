import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { holders, holds, sum } from '../figures';
import { bytes, moneyPerHour } from '../format';
import type { Gpu, Kernel, State } from '../protocol';
import { activity, KernelRow, Name } from './kernelRow';
import type { IActions } from './remedies';

export interface INotebooksProps {
  readonly state: State;
  readonly actions: IActions;
  readonly trans: TranslationBundle;
  slot(kernelId: string): number;
}

/** Who holds the GPUs: a row a notebook, then what belongs to nobody here, then who holds none. */
export function Notebooks(props: INotebooksProps): JSX.Element {
  const { state, trans, slot } = props;
  const kernels = holders(state, slot);
  const cost = sum(kernels.map(kernel => kernel.cost_per_hour));
  const list = useKeptFocus();
  return (
    <section className="jp-LeanMagic-notebooks" aria-label={trans.__('Notebooks')}>
      <div className="jp-LeanMagic-heading">
        <h3>{trans.__('Notebooks')}</h3>
        {cost !== null && (
          <span title={trans.__('What the notebooks hold costs this much; an estimate')}>{moneyPerHour(cost)}</span>
        )}
      </div>
      {kernels.length === 0 && !state.kernels.some(away) && (
        <p className="jp-LeanMagic-nobody">{nobody(state, trans)}</p>
      )}
      <ul ref={list} tabIndex={-1} className="jp-LeanMagic-rows" aria-label={trans.__('Notebooks that hold a GPU')}>
        {kernels.map(kernel => (
          <KernelRow key={kernel.kernel_id} kernel={kernel} slot={slot(kernel.kernel_id)} {...rowProps(props)} />
        ))}
      </ul>
      <Others state={state} trans={trans} />
      <Without {...props} />
    </section>
  );
}

/** Whether a kernel runs on another machine, where nobody looks. */
function away(kernel: Kernel): boolean {
  return kernel.remote && !holds(kernel);
}

/** Why there are no rows. */
function nobody({ kernels }: State, trans: TranslationBundle): string {
  return kernels.length
    ? trans.__('No notebook holds GPU memory.')
    : trans.__('No notebook is running. One that uses a GPU appears here.');
}

function rowProps({ state, actions, trans }: INotebooksProps): Omit<INotebooksProps, 'slot'> {
  return { state, actions, trans };
}

/** When the row with the focus goes away, the focus stays in the list instead of falling to the page. */
function useKeptFocus(): React.RefObject<HTMLUListElement> {
  const list = React.useRef<HTMLUListElement>(null);
  const inside = React.useRef(false);
  React.useEffect(() => {
    const note = (): void => {
      inside.current = list.current?.contains(document.activeElement) ?? false;
    };
    document.addEventListener('focusin', note);
    return () => document.removeEventListener('focusin', note);
  }, []);
  React.useEffect(() => {
    if (inside.current && document.activeElement === document.body) {
      list.current?.focus();
    }
  });
  return list;
}

interface IOthersProps {
  readonly state: State;
  readonly trans: TranslationBundle;
}

function Others({ state, trans }: IOthersProps): JSX.Element | null {
  const parts = state.gpus.flatMap(gpu => othersOn(gpu, state).map(size => ({ gpu, size })));
  if (!parts.length) {
    return null;
  }
  const where = (gpu: Gpu): string => (state.gpus.length > 1 ? `${trans.__('GPU %1', gpu.index)} ` : '');
  return (
    <p className="jp-LeanMagic-others" title={trans.__('Programs and users that are no kernel of this server')}>
      <span className="jp-LeanMagic-swatch jp-LeanMagic-colourOther" />
      <span className="jp-LeanMagic-line">
        <span>{trans.__('Other processes')}</span>
        {parts.map(({ gpu, size }) => (
          <span key={gpu.uuid}>{where(gpu) + bytes(size)}</span>
        ))}
      </span>
    </p>
  );
}

function othersOn(gpu: Gpu, state: State): number[] {
  const uuids = [gpu.uuid, ...(gpu.mig ?? []).map(slice => slice.uuid)];
  const size = sum(state.other.filter(other => uuids.includes(other.uuid)).map(other => other.memory_used));
  return size ? [size] : [];
}

/** Kernels that hold no GPU, folded away; those elsewhere say that they are. */
function Without({ state, actions, trans }: INotebooksProps): JSX.Element | null {
  const kernels = state.kernels.filter(kernel => !holds(kernel));
  if (!kernels.length) {
    return null;
  }
  const elsewhere = kernels.every(away);
  const summary = elsewhere
    ? trans._n('%1 notebook on another machine', '%1 notebooks on another machine', kernels.length)
    : trans._n('%1 notebook without GPU memory', '%1 notebooks without GPU memory', kernels.length);
  return (
    <details className="jp-LeanMagic-without" open={elsewhere}>
      <summary>{summary}</summary>
      <ul>
        {kernels.map(kernel => (
          <li key={kernel.kernel_id}>
            <Name kernel={kernel} actions={actions} trans={trans} />
            <span>{doing(kernel, !elsewhere, trans)}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}

function doing(kernel: Kernel, alsoWhere: boolean, trans: TranslationBundle): string {
  const what = activity(kernel, trans);
  return alsoWhere && kernel.remote ? `${what} · ${trans.__('on another machine')}` : what;
}
