import { Toxiproxy, ToxiproxyError } from 'toxiproxy-node-client';
import { Client } from 'undici';
import { expect, test } from 'vitest';
import {
  type Answer,
  addToxic,
  connectTo,
  createProxy,
  deadAddress,
  describeEachServer,
  dialResult,
  roundTripMs,
  startUpstream,
} from './support.ts';

type ProxyView = { name: string; listen: string; upstream: string; enabled: boolean; toxics: unknown[] };

const proxyIn = ({ json }: Answer) => json as ProxyView;
const errorIn = ({ json }: Answer) => (json as { error: string }).error;

describeEachServer('control API', (server) => {
  test('C01 an empty server answers an empty object with a request id', async () => {
    const answer = await server().call('GET', '/proxies');
    expect(answer).toMatchObject({ status: 200, text: '{}' });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(answer.headers['x-toxiproxy-request-id']).toBeTruthy();
  });

  test('C02 the version is one line of JSON', async () => {
    const { text, json, headers } = await server().call('GET', '/version');
    expect(Object.keys(json as object)).toEqual(['version']);
    expect(text.endsWith('\n')).toBe(true);
    expect(headers['content-type']).toBe('application/json;charset=utf-8');
  });

  test('C03 browsers are refused', async () => {
    for (const path of ['/proxies', '/version']) {
      const answer = await server().call('GET', path, { headers: { 'user-agent': 'Mozilla/5.0 x' } });
      expect(answer).toMatchObject({ status: 403, text: 'User agent not allowed\n' });
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
      expect(answer.headers['x-toxiproxy-request-id']).toBeTruthy();
    }
    for (const headers of [{ 'user-agent': 'mozilla/5.0' }, { 'user-agent': 'curl/8' }, {}])
      expect((await server().call('GET', '/version', { headers })).status).toBe(200);
  });

  test('D-7 requests of web pages are refused', async ({ skip }) => {
    skip(!server().isEmbedded);
    expect((await server().call('POST', '/reset', { headers: { origin: 'http://localhost:3000' } })).status).toBe(403);
  });

  test.each([
    ['PUT', '/proxies'],
    ['GET', '/reset'],
    ['HEAD', '/proxies'],
    ['OPTIONS', '/proxies'],
  ])('C04 %s %s is not allowed', async (method, path) => {
    const answer = await server().call(method, path);
    expect(answer).toMatchObject({ status: 405, text: '' });
    expect(answer.headers['x-toxiproxy-request-id']).toBeUndefined();
  });

  test('C05 unknown paths are not found, even by browsers', async () => {
    expect(await server().call('GET', '/proxies/')).toMatchObject({ status: 404, text: '404 page not found\n' });
    const answer = await server().call('GET', '/nosuch', { headers: { 'user-agent': 'Mozilla/5.0' } });
    expect(answer).toMatchObject({ status: 404, text: '404 page not found\n' });
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  test.each([
    ['//proxies', '/proxies'],
    ['/proxies/../version?x=1', '/version?x=1'],
    ['/proxies//a%3Fb%20c/', '/proxies/a%3Fb%20c/'],
  ])('%s is sent on to %s', async (path, location) => {
    // Whoever joins it to the address of the server would straighten it.
    const client = new Client(server().controlUrl);
    const { statusCode, headers } = await client.request({ path, method: 'GET' });
    await client.destroy();
    expect([statusCode, headers.location]).toEqual([301, location]);
  });

  test.each([
    ['{}', /^missing required field: name$/],
    ['{"name":"a"}', /^missing required field: upstream$/],
    ['', /^bad request body: EOF$/],
    ['{"name":3}', /^bad request body: /],
    ['{"name":', /^bad request body: /],
    ['[]', /^bad request body: /],
  ])('C06 a proxy made from %s is refused', async (body, error) => {
    const answer = await server().call('POST', '/proxies', { body });
    expect(answer.status).toBe(400);
    expect(errorIn(answer)).toMatch(error);
    expect(answer.json).toHaveProperty('status', 400);
    expect(answer.text.endsWith('\n')).toBe(true);
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  test('C07 only the first value of a body counts', async () => {
    const { address } = await startUpstream();
    const body = `{"name":"a","listen":"localhost:0","upstream":"${address}"} and }garbage{`;
    const answer = await server().call('POST', '/proxies', { body });
    expect(answer.status).toBe(201);
    expect(proxyIn(answer)).toMatchObject({ name: 'a', upstream: address, enabled: true, toxics: [] });
    expect(proxyIn(answer).listen).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
    await roundTripMs(await connectTo(proxyIn(answer).listen), 'hello');
  });

  test('C08 a taken name is refused, and the one who has it keeps working', async () => {
    const { address } = await startUpstream();
    const listen = await createProxy(server(), address);
    const answer = await server().call('POST', '/proxies', { body: { name: 'p', upstream: address, listen: '127.0.0.1:0' } });
    expect([answer.status, errorIn(answer)]).toEqual([409, 'proxy already exists']);
    await roundTripMs(await connectTo(listen));
  });

  test('C09 a taken port is refused until it is free', async () => {
    const listen = await createProxy(server(), '127.0.0.1:1');
    const body = { name: 'b', upstream: '127.0.0.1:1', listen };
    const answer = await server().call('POST', '/proxies', { body });
    expect([answer.status, errorIn(answer)]).toEqual([500, `listen tcp ${listen}: bind: address already in use`]);
    expect((await server().call('GET', '/proxies/b')).status).toBe(404);
    await server().call('DELETE', '/proxies/p');
    expect((await server().call('POST', '/proxies', { body })).status).toBe(201);
  });

  test.each([
    ['nohost', 'listen tcp: address nohost: missing port in address'],
    ['8.8.8.8:99', 'listen tcp 8.8.8.8:99: bind: cannot assign requested address'],
    ['127.0.0.1:99999', 'listen tcp: address 99999: invalid port'],
  ])('cannot listen on %s', async (listen, error) => {
    const answer = await server().call('POST', '/proxies', { body: { name: 'a', upstream: '127.0.0.1:1', listen } });
    expect([answer.status, errorIn(answer)]).toEqual([500, error]);
    expect((await server().call('GET', '/proxies')).text).toBe('{}');
  });

  test('C10 a disabled proxy is stored as given and listens when it is enabled', async () => {
    const body = { name: 'p', upstream: '127.0.0.1:1', listen: 'localhost:0', enabled: false };
    const created = await server().call('POST', '/proxies', { body });
    expect(created.status).toBe(201);
    expect(proxyIn(created)).toMatchObject({ listen: 'localhost:0', enabled: false });
    const enabled = await server().call('PATCH', '/proxies/p', { body: { enabled: true } });
    expect(enabled.status).toBe(200);
    expect(proxyIn(enabled).enabled).toBe(true);
    expect(await dialResult(proxyIn(enabled).listen)).toBe('connected');
  });

  test('C11 field names in any case; without an address it listens everywhere', async () => {
    const answer = await server().call('POST', '/proxies', { body: { NAME: 'a', Upstream: '127.0.0.1:1', unknown: 1 } });
    expect(answer.status).toBe(201);
    expect(proxyIn(answer).listen).toMatch(/^(\[::\]|0\.0\.0\.0):[1-9]\d*$/);
  });

  test('C12, C13 an update that changes nothing leaves connections alone', async () => {
    const { address } = await startUpstream();
    const listen = await createProxy(server(), address);
    const client = await connectTo(listen);
    await roundTripMs(client);
    for (const [method, body] of [
      ['PATCH', {}],
      ['POST', {}],
      ['PATCH', { listen: listen.replace('127.0.0.1', 'localhost') }],
    ] as const) {
      const answer = await server().call(method, '/proxies/p', { body });
      expect(answer.status).toBe(200);
      expect(proxyIn(answer)).toMatchObject({ listen, upstream: address, enabled: true });
    }
    await roundTripMs(client);
    expect(client.hasEnded()).toBe(false);
  });

  test('C14 another upstream ends the connections and keeps address and toxics', async () => {
    const [first, second] = [await startUpstream(), await startUpstream(({ socket }) => void socket.write('second'))];
    const listen = await createProxy(server(), first.address);
    await addToxic(server(), 'latency', { latency: 1 });
    const client = await connectTo(listen);
    await roundTripMs(client);
    const answer = await server().call('PATCH', '/proxies/p', { body: { upstream: second.address } });
    expect(proxyIn(answer)).toMatchObject({ listen, upstream: second.address, toxics: [{ name: 'latency' }] });
    await client.ended();
    const again = await connectTo(listen);
    await again.hasReceived(6);
    expect(again.received().toString()).toBe('second');
  });

  test('C15 a proxy that cannot move is left disabled on its new address', async () => {
    const occupied = await createProxy(server(), '127.0.0.1:1', 'other');
    await createProxy(server(), '127.0.0.1:1');
    expect((await server().call('PATCH', '/proxies/p', { body: { listen: occupied } })).status).toBe(500);
    expect(proxyIn(await server().call('GET', '/proxies/p'))).toMatchObject({ enabled: false, listen: occupied });
  });

  test('C16 an update to what is no address changes nothing', async () => {
    const { address } = await startUpstream();
    const listen = await createProxy(server(), address);
    const answer = await server().call('PATCH', '/proxies/p', { body: { listen: 'nohost' } });
    expect([answer.status, errorIn(answer)]).toEqual([500, 'address nohost: missing port in address']);
    await roundTripMs(await connectTo(listen));
  });

  test('C17 populate makes proxies in order, disabled ones too', async () => {
    const off = await deadAddress();
    const body = [
      { name: 'one', upstream: '127.0.0.1:1', listen: '127.0.0.1:0' },
      { name: 'two', upstream: '127.0.0.1:1', listen: off, enabled: false },
    ];
    const answer = await server().call('POST', '/populate', { body });
    expect(answer.status).toBe(201);
    const { proxies } = answer.json as { proxies: ProxyView[] };
    expect(proxies.map(({ name, enabled }) => [name, enabled])).toEqual([
      ['one', true],
      ['two', false],
    ]);
    expect(await dialResult(proxies[0]?.listen ?? '')).toBe('connected');
    expect(await dialResult(off)).toBe('ECONNREFUSED');
  });

  test('C18 populate leaves alone what is the same and replaces what differs', async () => {
    const [one, two] = [await createProxy(server(), '127.0.0.1:1', 'one'), await createProxy(server(), '127.0.0.1:1', 'two')];
    for (const name of ['one', 'two']) await server().call('POST', `/proxies/${name}/toxics`, { body: { type: 'latency' } });
    const moved = await deadAddress();
    const body = [
      { name: 'one', upstream: '127.0.0.1:1', listen: one.replace('127.0.0.1', 'localhost') },
      { name: 'two', upstream: '127.0.0.1:1', listen: moved },
    ];
    const { proxies } = (await server().call('POST', '/populate', { body })).json as { proxies: ProxyView[] };
    expect(proxies.map(({ listen, toxics }) => [listen, toxics.length])).toEqual([
      [one, 1],
      [moved, 0],
    ]);
    expect(await dialResult(two)).toBe('ECONNREFUSED');
  });

  test('C19 populate refuses all when one entry lacks a name, and stops at one that cannot listen', async () => {
    const good = { name: 'good', upstream: '127.0.0.1:1', listen: '127.0.0.1:0' };
    const refused = await server().call('POST', '/populate', { body: [good, { upstream: '127.0.0.1:1' }] });
    expect([refused.status, errorIn(refused)]).toEqual([400, 'missing required field: name at proxy 2']);
    expect(refused.headers['content-type']).toBe('application/json');
    expect((await server().call('GET', '/proxies')).text).toBe('{}');

    const body = [good, { ...good, name: 'bad', listen: 'nohost' }, { ...good, name: 'last' }];
    const stopped = await server().call('POST', '/populate', { body });
    expect(stopped.status).toBe(500);
    expect((stopped.json as { proxies: unknown[] }).proxies).toHaveLength(1);
    expect(Object.keys((await server().call('GET', '/proxies')).json as object)).toEqual(['good']);
  });

  test('C20 populate does not enable a disabled proxy', async () => {
    const listen = await createProxy(server(), '127.0.0.1:1');
    await server().call('POST', '/proxies/p', { body: { enabled: false } });
    const body = [{ name: 'p', upstream: '127.0.0.1:1', listen, enabled: true }];
    const answer = await server().call('POST', '/populate', { body });
    expect([answer.status, answer.json]).toMatchObject([201, { proxies: [{ enabled: false }] }]);
  });

  test('C21 populate takes an empty list', async () => {
    const answer = await server().call('POST', '/populate', { body: [] });
    expect(answer.status).toBe(201);
    expect((answer.json as { proxies: unknown[] | null }).proxies ?? []).toEqual([]);
  });

  test('C22 reset enables all proxies and removes all toxics', async () => {
    const listens = [await createProxy(server(), '127.0.0.1:1', 'one'), await createProxy(server(), '127.0.0.1:1', 'two')];
    for (const name of ['one', 'two']) await server().call('POST', `/proxies/${name}/toxics`, { body: { type: 'latency' } });
    await server().call('POST', '/proxies/two', { body: { enabled: false } });
    expect(await server().call('POST', '/reset')).toMatchObject({ status: 204, text: '' });
    const proxies = (await server().call('GET', '/proxies')).json as Record<string, ProxyView>;
    for (const [index, name] of ['one', 'two'].entries())
      expect(proxies[name]).toMatchObject({ enabled: true, toxics: [], listen: listens[index] });
  });

  test('D-8 reset goes on behind a proxy that cannot listen', async ({ skip }) => {
    skip(!server().isEmbedded);
    const listen = await createProxy(server(), '127.0.0.1:1', 'one');
    await server().call('POST', '/proxies/one', { body: { enabled: false } });
    await server().call('POST', '/proxies', { body: { name: 'taker', upstream: '127.0.0.1:1', listen } });
    await createProxy(server(), '127.0.0.1:1', 'two');
    await server().call('POST', '/proxies/two', { body: { enabled: false } });
    const answer = await server().call('POST', '/reset');
    expect([answer.status, errorIn(answer)]).toEqual([500, `listen tcp ${listen}: bind: address already in use`]);
    expect(proxyIn(await server().call('GET', '/proxies/two')).enabled).toBe(true);
  });

  test('C23, C24 a toxic is named after type and stream unless told otherwise, once per proxy', async () => {
    await createProxy(server(), '127.0.0.1:1');
    const add = (body: object) => server().call('POST', '/proxies/p/toxics', { body });
    const answer = await add({ type: 'latency' });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      name: 'latency_downstream',
      type: 'latency',
      stream: 'downstream',
      toxicity: 1,
      attributes: { latency: 0, jitter: 0 },
    });
    const again = await add({ type: 'latency' });
    expect([again.status, errorIn(again)]).toEqual([409, 'toxic already exists']);
    expect((await add({ type: 'latency', name: 'latency_downstream', stream: 'upstream' })).status).toBe(409);
    expect((await add({ type: 'latency', stream: 'upstream' })).json).toMatchObject({ name: 'latency_upstream' });
  });

  test.each([
    [{ type: 'nosuch', stream: 'sideways' }, 'stream was invalid, can be either upstream or downstream'],
    [{ type: 'nosuch' }, 'invalid toxic type'],
    [{ type: 'down' }, 'invalid toxic type'],
    [{ type: 'latency', stream: '' }, 'stream was invalid, can be either upstream or downstream'],
  ])('C25 the toxic %j is refused', async (body, error) => {
    await createProxy(server(), '127.0.0.1:1');
    const answer = await server().call('POST', '/proxies/p/toxics', { body });
    expect([answer.status, errorIn(answer)]).toEqual([400, error]);
  });

  test('C25 the name of a stream is echoed as given', async () => {
    await createProxy(server(), '127.0.0.1:1');
    const answer = await server().call('POST', '/proxies/p/toxics', { body: { type: 'latency', stream: 'UPSTREAM' } });
    expect(answer.json).toMatchObject({ stream: 'UPSTREAM', name: 'latency_UPSTREAM' });
  });

  test.each([
    ['{"latency":"100"}', 400],
    ['{"latency":1.5}', 400],
    ['"x"', 400],
    ['null', 200],
    ['{"latency":7,"unknown":true}', 200],
  ])('C26 attributes %s are answered with %i', async (attributes, status) => {
    await createProxy(server(), '127.0.0.1:1');
    const body = `{"type":"latency","attributes":${attributes}}`;
    const answer = await server().call('POST', '/proxies/p/toxics', { body });
    expect(answer.status).toBe(status);
    if (status === 400) expect(errorIn(answer)).toMatch(/^bad request body: /);
    const listed = (await server().call('GET', '/proxies/p/toxics')).json;
    expect(listed).toHaveLength(status === 200 ? 1 : 0);
  });

  test('C27 an update overwrites what it gives', async () => {
    await createProxy(server(), '127.0.0.1:1');
    await addToxic(server(), 'latency', { latency: 100, jitter: 10 });
    const change = async (body: object) => (await server().call('PATCH', '/proxies/p/toxics/latency', { body })).json;
    expect(await change({ attributes: { latency: 1000 }, toxicity: 0.1 })).toMatchObject({
      attributes: { latency: 1000, jitter: 10 },
      toxicity: 0.1,
    });
    expect(await change({ attributes: { latency: 500 } })).toMatchObject({ attributes: { latency: 500, jitter: 10 }, toxicity: 0.1 });
    expect(await change({ name: 'x', type: 'timeout', stream: 'upstream' })).toMatchObject({
      name: 'latency',
      type: 'latency',
      stream: 'downstream',
    });
  });

  test('C28 a toxic is there until it is removed', async () => {
    await createProxy(server(), '127.0.0.1:1');
    await addToxic(server(), 'latency', {}, { name: 'x y' });
    const path = '/proxies/p/toxics/x%20y';
    const statuses = [];
    for (const method of ['GET', 'DELETE', 'GET', 'DELETE', 'PATCH'])
      statuses.push((await server().call(method, path, { body: '{}' })).status);
    expect(statuses).toEqual([200, 204, 404, 404, 404]);
    expect(errorIn(await server().call('GET', path))).toBe('toxic not found');
    expect(errorIn(await server().call('GET', '/proxies/q/toxics/x'))).toBe('proxy not found');
  });

  test('C29 toxics are listed upstream first, in the order of their making', async () => {
    await createProxy(server(), '127.0.0.1:1');
    for (const name of ['c', 'a', 'b']) await addToxic(server(), 'latency', {}, { name });
    await addToxic(server(), 'latency', {}, { name: 'up', stream: 'upstream' });
    const names = ((await server().call('GET', '/proxies/p/toxics')).json as { name: string }[]).map(({ name }) => name);
    expect(names).toEqual(['up', 'c', 'a', 'b']);
  });

  test('C69 the npm client finds all it needs', async () => {
    const { address } = await startUpstream();
    const client = new Toxiproxy(server().controlUrl);
    const proxy = await client.createProxy({ name: 'p', listen: '127.0.0.1:0', upstream: address });
    const connection = await connectTo(proxy.listen);
    const slow = { name: 'slow', type: 'latency', stream: 'downstream', toxicity: 1 } as const;
    const toxic = await proxy.addToxic({ ...slow, attributes: { latency: 20, jitter: 0 } });
    expect(await roundTripMs(connection)).toBeGreaterThan(18);
    const faster = await toxic.update({ ...slow, attributes: { latency: 0, jitter: 0 } });
    expect(faster.attributes).toEqual({ latency: 0, jitter: 0 });
    expect((await proxy.getToxic('slow')).type).toBe('latency');
    const duplicate = proxy.addToxic({ ...slow, attributes: {} }).catch((error: unknown) => error);
    expect(await duplicate).toBeInstanceOf(ToxiproxyError);
    expect(await duplicate).toHaveProperty('message', 'Request failed with status code 409');
    await toxic.remove();
    expect(Object.keys(await client.populate([{ name: 'q', listen: '127.0.0.1:0', upstream: address }]))).toEqual(['q']);
    expect(Object.keys(await client.getAll()).sort()).toEqual(['p', 'q']);
    expect((await proxy.update({ enabled: false, listen: proxy.listen, upstream: address })).enabled).toBe(false);
    await client.reset();
    expect((await client.get('p')).enabled).toBe(true);
    expect(JSON.parse(await client.getVersion())).toHaveProperty('version');
    await proxy.remove();
    await expect(client.get('p')).rejects.toThrow('Request failed with status code 404');
  });

  test('a name with a slash can be made and not addressed', async ({ skip }) => {
    skip(!server().isEmbedded, 'it would stay on a real server');
    await createProxy(server(), '127.0.0.1:1', 'a/b');
    expect((await server().call('GET', '/proxies/a%2Fb')).status).toBe(404);
  });
});
