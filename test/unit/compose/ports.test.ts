import { expect, test } from 'vitest';
import { claimPorts, type Hold } from '../../../compose/ports.ts';
import { UsageError } from '../../../core/errors.ts';

test('a run claims the first port of a block and hands out the ones after it', async () => {
  const machine = portsOfMachine();
  const ports = await claimPorts({ random: () => 0, hold: machine.hold });
  expect([...machine.held]).toEqual([20_000]);
  expect([await ports.next(), await ports.next()]).toEqual([20_001, 20_002]);
});

test('a second run takes the next block', async () => {
  const machine = portsOfMachine();
  await claimPorts({ random: () => 0, hold: machine.hold });
  const second = await claimPorts({ random: () => 0, hold: machine.hold });
  expect(await second.next()).toBe(20_101);
});

test('ports that somebody uses are passed over', async () => {
  const machine = portsOfMachine([20_001, 20_003]);
  const ports = await claimPorts({ random: () => 0, hold: machine.hold });
  expect([await ports.next(), await ports.next()]).toEqual([20_002, 20_004]);
});

test('overlapping calls get different ports', async () => {
  const ports = await claimPorts({ random: () => 0, hold: portsOfMachine().hold });
  const given = await Promise.all(Array.from({ length: 30 }, () => ports.next()));
  expect(new Set(given).size).toBe(30);
});

test('a run that needs more than a block claims another one', async () => {
  const machine = portsOfMachine([20_100]);
  const ports = await claimPorts({ random: () => 0, hold: machine.hold });
  for (let count = 0; count < 99; count++) await ports.next();
  expect(await ports.next()).toBe(20_201);
  expect([...machine.held]).toEqual([20_100, 20_000, 20_200]);
});

test('all blocks lie between 20000 and the ports for outgoing connections', async () => {
  const machine = portsOfMachine();
  for (let run = 0; run < 120; run++) await claimPorts({ random: () => 0.999, hold: machine.hold });
  expect(Math.min(...machine.held)).toBe(20_000);
  expect(Math.max(...machine.held)).toBe(31_900);
  await expect(claimPorts({ random: () => 0.5, hold: machine.hold })).rejects.toThrow(UsageError);
});

test('closing gives the block back', async () => {
  const machine = portsOfMachine();
  const ports = await claimPorts({ random: () => 0, hold: machine.hold });
  await ports.close();
  expect(machine.held.size).toBe(0);
});

/** Ports as a set of numbers: what is in it is taken. */
function portsOfMachine(taken: number[] = []): { held: Set<number>; hold: Hold } {
  const held = new Set(taken);
  return {
    held,
    async hold(port) {
      if (held.has(port)) return undefined;
      held.add(port);
      return { release: async () => void held.delete(port) };
    },
  };
}
