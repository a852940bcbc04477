import { describe, expect, it } from 'vitest';

import * as format from '../format';

const GIB = 2 ** 30;

describe('format', () => {
  it.each([format.bytes, format.gibNumber, format.percent, format.watts, format.celsius, format.money, format.moneyPerHour, format.duration, format.clock])(
    'says a dash for what is not known, never a zero',
    say => {
      expect([null, undefined, NaN, Infinity].map(say)).toEqual(['—', '—', '—', '—']);
    }
  );

  it.each([
    [0, '0 KiB'],
    [512 * 2 ** 20, '512 MiB'],
    [1023.6 * 2 ** 20, '1.0 GiB'],
    [38 * GIB, '38.0 GiB'],
    [85899345920, '80.0 GiB']
  ])('says %d bytes as %s', (count, text) => {
    expect(format.bytes(count)).toBe(text);
  });

  it.each([
    [0, '0 s'],
    [0.4, '< 1 s'],
    [40, '40 s'],
    [59.7, '1 min'],
    [2040, '34 min'],
    [3600, '1 h'],
    [11520, '3 h 12 min'],
    [187200, '2 d 4 h']
  ])('says %d seconds as %s', (seconds, text) => {
    expect(format.duration(seconds)).toBe(text);
  });

  it.each([
    [0, '≈ $0.00'],
    [0.001, '< $0.01'],
    [1.06, '≈ $1.06'],
    [1234.5, '≈ $1,234.50']
  ])('marks %d dollars as an estimate', (dollars, text) => {
    expect(format.money(dollars)).toBe(text);
  });

  it.each([
    ['NVIDIA H100 80GB HBM3', 'H100 80GB'],
    ['NVIDIA H100 PCIe', 'H100 PCIe'],
    ['NVIDIA GeForce RTX 4060 Laptop GPU', 'RTX 4060 Laptop'],
    ['NVIDIA GeForce RTX 4090', 'RTX 4090'],
    ['Tesla V100-SXM2-16GB', 'V100 16GB'],
    [null, 'GPU']
  ])('shortens %s to %s', (name, text) => {
    expect(format.gpuName(name)).toBe(text);
  });

  it.each([
    [null, '—'],
    [0, '≈ 0.0 Wh'],
    [22000, '≈ 6.1 Wh'],
    [123456, '≈ 34 Wh'],
    [7200000, '≈ 2.0 kWh']
  ])('says %d joules as on a bill', (joules, text) => {
    expect(format.energy(joules)).toBe(text);
  });

  it('keeps a share within 0 and 100, and does not guess', () => {
    expect([format.share(1, 4), format.share(9, 4), format.share(null, 4), format.share(1, 0)]).toEqual([25, 100, null, null]);
  });
});
