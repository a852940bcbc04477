/** The way to the server, over a server that is made up. */
import { ServerConnection } from '@jupyterlab/services';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Client, DEFAULTS } from '../client';
import { json } from './golden';

interface IAsked {
  readonly path: string;
  readonly method: string;
  readonly body: unknown;
}

let asked: IAsked[];
let answer: () => Response;
let client: Client;

const fetch = async (request: Request): Promise<Response> => {
  const url = new URL(request.url);
  const body = request.method === 'POST' ? await request.json() : null;
  const since = url.searchParams.get('since');
  asked.push({ path: url.pathname + (since === null ? '' : `?since=${since}`), method: request.method, body });
  return answer();
};

function answers(body: unknown, status = 200): void {
  answer = () => new Response(JSON.stringify(body), { status });
}

beforeEach(() => {
  asked = [];
  answers(json('two_gpus_three_kernels'));
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/base/',
    fetch: fetch as unknown as ServerConnection.ISettings['fetch']
  });
  client = new Client(settings);
});

afterEach(() => client.dispose());

describe('asking', () => {
  it('asks for all of the past once, and then for what is new', async () => {
    await vi.waitFor(() => expect(client.state?.seq).toBe(150));
    await client.refresh();
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(1));
    expect(asked.slice(0, 2).map(one => one.path)).toEqual([
      '/base/lean-magic/api/state',
      '/base/lean-magic/api/state?since=150'
    ]);
  });

  it.each([
    [404, 'absent'],
    [403, 'refused'],
    [401, 'refused']
  ] as const)('understands an answer of %d as %s', async (status, link) => {
    answers({}, status);
    await vi.waitFor(() => expect(client.link.state).toBe(link));
  });

  it('understands another version as one', async () => {
    answers({ version: 99 });
    await vi.waitFor(() => expect(client.link.state).toBe('mismatch'));
  });

  it('comes back from a failure', async () => {
    answers({}, 404);
    await vi.waitFor(() => expect(client.link.state).toBe('absent'));
    answers(json('two_gpus_three_kernels'));
    await client.refresh();
    await vi.waitFor(() => expect(client.link.state).toBe('live'));
  });

  it('stands by when nobody wants figures', async () => {
    await vi.waitFor(() => expect(client.state).not.toBeNull());
    client.prefer({ ...DEFAULTS, interval: 0.02, notifications: false, statusBar: false });
    await new Promise(resolve => setTimeout(resolve, 50));
    const before = asked.length;
    await new Promise(resolve => setTimeout(resolve, 150));
    expect(asked.length).toBe(before);
    client.look(true);
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(before + 2));
  });
});

describe('having something done', () => {
  const done = { version: 1, message: 'a is shut down.', freed: 7, asked: true, finished: true };

  it.each([
    ['shutdown', { busy_too: false }, () => client.shutDown('a-1', false)],
    ['release', {}, () => client.release('a-1')],
    ['snooze', { seconds: 60 }, () => client.snooze('a-1', 60)],
    ['pin', { pinned: true }, () => client.pin('a-1', true)]
  ] as const)('posts %s for the kernel', async (verb, body, deed) => {
    await vi.waitFor(() => expect(client.state).not.toBeNull());
    answers(done);
    expect(await deed()).toEqual({ done: true, busy: false, message: 'a is shut down.', freedBytes: 7 });
    const posted = asked.find(one => one.method === 'POST');
    expect(posted).toEqual({ path: `/base/lean-magic/api/kernels/a-1/${verb}`, method: 'POST', body });
  });

  it('hears that the kernel is busy', async () => {
    answers({ version: 1, error: 'busy', message: 'a is busy' }, 409);
    expect(await client.shutDown('a-1', false)).toMatchObject({ done: false, busy: true, message: 'a is busy' });
  });

  it('does not take a failure for an answer', async () => {
    answers({}, 500);
    await expect(client.release('a-1')).rejects.toThrow();
  });
});
