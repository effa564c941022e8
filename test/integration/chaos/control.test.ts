import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { openControl } from '../../../chaos/control.ts';
import { UsageError } from '../../../core/errors.ts';
import { createProxy, describeEachServer } from './support.ts';

describeEachServer('control driver', (server) => {
  test("a refusal carries the server's own words and its status", async () => {
    const control = openControl({ controlUrl: server().controlUrl });
    onTestFinished(() => control.close());
    await createProxy(server(), '127.0.0.1:1');
    const refused = control.addToxic('p', { name: 'x', type: 'nosuch', stream: 'downstream', toxicity: 1, attributes: {} });
    await expect(refused).rejects.toMatchObject({
      name: 'ControlError',
      status: 400,
      message: `Toxiproxy at ${server().controlUrl} refused POST /proxies/p/toxics with 400: invalid toxic type`,
    });
    await expect(control.setEnabled('nobody', true)).rejects.toThrow('with 404: proxy not found');
    await control.removeToxic('p', 'nothing');
    await control.removeProxy('nobody');
  });
});

test('a server that does not answer in time is named', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const controlUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const control = openControl({ controlUrl, timeoutMs: 100 });
  onTestFinished(async () => {
    silent.closeAllConnections();
    silent.close();
    await control.close();
  });
  await expect(control.setEnabled('p', true)).rejects.toThrow(`Toxiproxy at ${controlUrl} did not answer POST /proxies/p within 100 ms`);
});

test('whatever else answers there is no Toxiproxy', async () => {
  const stranger = createServer((_, response) => response.end('<html>welcome</html>')).listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  const controlUrl = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;
  const control = openControl({ controlUrl });
  onTestFinished(async () => {
    await control.close();
    stranger.close();
  });
  await expect(control.proxies()).rejects.toThrow(`What answers at ${controlUrl} is no Toxiproxy`);
});

test('a server elsewhere is spoken to only where that is said', async () => {
  const controlUrl = 'http://toxiproxy.invalid:8474';
  expect(() => openControl({ controlUrl })).toThrow(UsageError);
  await openControl({ controlUrl, allowRemote: true }).close();
  expect(() => openControl({ controlUrl: 'toxiproxy', allowRemote: true })).toThrow(UsageError);
});
