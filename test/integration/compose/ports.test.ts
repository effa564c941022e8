import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { claimPorts } from '../../../compose/ports.ts';

test('a port in use is passed over, a claimed block is nobody else’s, and a closed one is free again', async () => {
  const first = await claimPorts({ random: Math.random });
  const port = await first.next();
  const claimed = port - (port % 100);
  const atTheSameBlock = () => (claimed - 20_000) / 100 / 120 + 0.001;

  const second = await claimPorts({ random: atTheSameBlock });
  expect(Math.floor((await second.next()) / 100)).not.toBe(claimed / 100);
  await second.close();

  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port + 1, '127.0.0.1', resolve));
  expect(await first.next()).toBe(port + 2);
  await new Promise((resolve) => server.close(resolve));

  await first.close();
  const third = await claimPorts({ random: atTheSameBlock });
  expect(await third.next()).toBe(claimed + 1);
  await third.close();
});
