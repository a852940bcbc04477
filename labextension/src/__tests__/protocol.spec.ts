import { describe, expect, it } from 'vitest';

import { parse, WireError } from '../protocol';
import { json, NAMES, state } from './golden';

type Json = Record<string, unknown>;

function changed(change: (state: Json) => void): Json {
  const copy = json('two_gpus_three_kernels');
  change(copy);
  return copy;
}

describe('protocol', () => {
  it('has golden files to read', () => {
    expect(NAMES.length).toBeGreaterThan(5);
  });

  it.each(NAMES)('reads every member of %s as the server wrote it', name => {
    expect(json(name)).toMatchObject(state(name));
  });

  it('keeps unknown figures unknown', () => {
    const [lost, unified] = state('lost_and_unified').gpus;
    expect([lost.utilization, lost.memory_used, unified.power]).toEqual([null, null, null]);
  });

  it('refuses another version before it looks at anything else', () => {
    expect(() => parse({ version: 2, entirely: 'different' })).toThrowError(/version 2/);
  });

  it.each([null, [], 'text', 7, {}])('refuses what is no state: %j', value => {
    expect(() => parse(value)).toThrowError(WireError);
  });

  it('says which member is wrong', () => {
    const wrong = changed(copy => ((copy.gpus as Json[])[1].index = 'one'));
    expect(() => parse(wrong)).toThrowError('the answer.gpus[1].index is not a number');
  });

  it('passes over members of a newer server, and takes its new words for the careful ones', () => {
    const newer = changed(copy => {
      copy.weather = 'fine';
      (copy.status as Json).state = 'driver_dreaming';
      (copy.kernels as Json[])[0].verdict = 'freeze';
    });
    expect(parse(newer)).not.toHaveProperty('weather');
    expect([parse(newer).status.state, parse(newer).kernels[0].verdict]).toEqual(['probe_failed', 'keep']);
  });

  it('takes a nullable member that is missing for unknown', () => {
    const older = changed(copy => delete (copy.gpus as Json[])[0].power);
    expect(parse(older).gpus[0].power).toBeNull();
  });
});
