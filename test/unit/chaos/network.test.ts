import { expect, test } from 'vitest';
import { addressFrom } from '../../../chaos/network.ts';

test.each([
  ['127.0.0.1:4000', 'http://127.0.0.1:8474', '127.0.0.1:4000'],
  ['[::]:4000', 'http://toxiproxy.example:8474', 'toxiproxy.example:4000'],
  ['0.0.0.0:4000', 'http://10.0.0.7:8474', '10.0.0.7:4000'],
])('a proxy that listens on %s of the server at %s is reached at %s', (listen, controlUrl, address) => {
  expect(addressFrom(listen, controlUrl)).toBe(address);
});
