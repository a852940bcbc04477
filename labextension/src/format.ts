/**
 * Numbers as people read them. Pure: no DOM, no clock, no translation of units.
 *
 * What is not known is a dash, never a zero: a GPU that cannot say its power does not draw 0 W.
 */

export type Known = number | null | undefined;

export const UNKNOWN = '—';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** Say `text(value)`, or a dash where there is no value. */
function known(value: Known, text: (value: number) => string): string {
  return value === null || value === undefined || !Number.isFinite(value) ? UNKNOWN : text(value);
}

/** Memory in powers of 1024, as drivers and allocators count it: 38.0 GiB, 512 MiB. */
export function bytes(value: Known): string {
  return known(value, count => {
    if (count < MIB) {
      return `${Math.round(count / 1024)} KiB`;
    }
    // 1023.6 MiB would round to 1024 MiB
    return count < GIB - MIB / 2 ? `${Math.round(count / MIB)} MiB` : gib(count);
  });
}

/** The number alone of a size in GiB, for "61.4 of 80.0 GiB". */
export function gibNumber(value: Known): string {
  return known(value, count => (count / GIB).toFixed(1));
}

function gib(count: number): string {
  return `${gibNumber(count)} GiB`;
}

export function percent(value: Known): string {
  return known(value, share => `${Math.round(share)} %`);
}

export function watts(value: Known): string {
  return known(value, power => `${Math.round(power)} W`);
}

/** Energy in the unit that bills have: 34 Wh, 1.2 kWh. */
export function energy(joules: Known): string {
  return known(joules, count => {
    const hours = count / 3600;
    return hours < 999.5 ? `≈ ${hours < 9.95 ? hours.toFixed(1) : Math.round(hours)} Wh` : `≈ ${(hours / 1000).toFixed(1)} kWh`;
  });
}

export function celsius(value: Known): string {
  return known(value, degrees => `${Math.round(degrees)} °C`);
}

/** An estimated amount: "≈ $1.06"; below a cent, that it is below a cent. */
export function money(value: Known): string {
  return known(value, dollars => (dollars > 0 && dollars < 0.005 ? '< $0.01' : `≈ $${grouped(dollars)}`));
}

export function moneyPerHour(value: Known): string {
  return known(value, dollars => `${money(dollars)}/h`);
}

function grouped(dollars: number): string {
  return dollars.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

/** A length of time in its two largest units that tell something: 40 s, 34 min, 3 h 12 min, 2 d 4 h. */
export function duration(value: Known): string {
  return known(value, seconds => {
    if (seconds < 59.5) {
      return seconds > 0 && seconds < 1 ? '< 1 s' : `${Math.round(seconds)} s`;
    }
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) {
      return `${minutes} min`;
    }
    return minutes < 1440 ? pair(minutes, 60, 'h', 'min') : pair(Math.round(minutes / 60), 24, 'd', 'h');
  });
}

function pair(count: number, per: number, large: string, small: string): string {
  const rest = count % per;
  return `${Math.floor(count / per)} ${large}` + (rest ? ` ${rest} ${small}` : '');
}

/** The time of day of a moment in seconds since 1970, where the browser is: 14:02. */
export function clock(value: Known): string {
  return known(value, seconds =>
    new Date(seconds * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  );
}

/** What every name has, and how the chip is mounted. */
const USUAL = /\b(NVIDIA|GeForce|Tesla|GPU|HBM\dE?|SXM\d?)\b/gi;

/** A GPU's name in the few words that tell it from others: "NVIDIA A100-SXM4-80GB" is "A100 80GB". */
export function gpuName(name: string | null): string {
  return (name ?? '').replace(/-/g, ' ').replace(USUAL, '').replace(/\s+/g, ' ').trim() || 'GPU';
}

/** The whole per cent of a part in a whole, within 0 and 100; null where either is not known. */
export function share(part: Known, whole: Known): number | null {
  if (part === null || part === undefined || !whole) {
    return null;
  }
  return Math.min(100, Math.max(0, (100 * part) / whole));
}
