import { expect, test } from 'vitest';
import { kill, pause, restart } from '../../../chaos/faults.ts';
import { createProcesses, type ProcessControl } from '../../../chaos/processes.ts';
import { defaultReplicas } from '../../../system/topology.ts';

const replicas = { ...defaultReplicas, payment: 3 };

test('a fault of a service concerns all its processes, or the one it names', () => {
  const { processes } = scripted();
  expect(processes.placesOf(kill('payment'))).toEqual(['payment.1', 'payment.2', 'payment.3']);
  expect(processes.placesOf(kill('payment', { replica: 2 }))).toEqual(['payment.2']);
  expect(() => processes.placesOf(kill('payment', { replica: 4 }))).toThrow("Expected a replica of 'payment' from 1 to 3, got 4");
});

test('one that is killed comes back when the fault ends', async () => {
  const { processes, stateOf } = scripted();
  const end = await processes.apply(kill('payment', { replica: 1 }));
  expect([stateOf('payment.1'), stateOf('payment.2')]).toEqual(['down', 'runs']);
  await end();
  expect(stateOf('payment.1')).toBe('runs');
});

test('one that is paused runs on when the fault ends', async () => {
  const { processes, stateOf } = scripted();
  const end = await processes.apply(pause('payment'));
  expect(stateOf('payment.3')).toBe('still');
  await end();
  expect(stateOf('payment.3')).toBe('runs');
});

test('where faults overlap a process is down, or still, until the last of them ends', async () => {
  const { processes, stateOf } = scripted();
  const [first, second] = [await processes.apply(kill('payment', { replica: 1 })), await processes.apply(kill('payment'))];
  const still = await processes.apply(pause('payment', { replica: 1 }));
  await first();
  await first();
  expect(stateOf('payment.1')).toBe('down');
  await second();
  expect([stateOf('payment.1'), stateOf('payment.2')]).toEqual(['still', 'runs']);
  await still();
  expect(stateOf('payment.1')).toBe('runs');
});

test('a restart stops and starts, and is over when the process is back', async () => {
  const { processes, calls, stateOf } = scripted();
  const back = await processes.apply(restart('payment', { replica: 1 }));
  await back();
  expect(calls.slice(0, 2)).toEqual(['stop payment.1', 'start payment.1']);
  expect(stateOf('payment.1')).toBe('runs');
});

test('a restart does not raise one that another fault keeps down', async () => {
  const { processes, stateOf } = scripted();
  const end = await processes.apply(kill('payment', { replica: 1 }));
  await (await processes.apply(restart('payment', { replica: 1 })))();
  expect(stateOf('payment.1')).toBe('down');
  await end();
  expect(stateOf('payment.1')).toBe('runs');
});

test('a fault that fails at one process is undone at the others, and told', async () => {
  const { processes, stateOf } = scripted({ fails: 'pause payment.2' });
  await expect(processes.apply(pause('payment'))).rejects.toThrow('cannot pause payment.2');
  expect(['payment.1', 'payment.2', 'payment.3'].map(stateOf)).toEqual(['runs', 'runs', 'runs']);
});

test('one that does not come back is told to whoever ends the fault', async () => {
  const { processes } = scripted({ fails: 'start payment.1' });
  const end = await processes.apply(kill('payment', { replica: 1 }));
  await expect(end()).rejects.toThrow('cannot start payment.1');
  const back = await processes.apply(restart('payment', { replica: 1 }));
  await expect(back()).rejects.toThrow('cannot start payment.1');
});

type State = 'runs' | 'still' | 'down';

function scripted({ fails }: { fails?: string } = {}) {
  const calls: string[] = [];
  const states = new Map<string, State>();
  const stateOf = (instance: string) => states.get(instance) ?? 'runs';
  const call = (name: keyof ProcessControl, next: (state: State) => State) => async (instance: string) => {
    calls.push(`${name} ${instance}`);
    if (fails === `${name} ${instance}`) throw new Error(`cannot ${fails}`);
    states.set(instance, next(stateOf(instance)));
  };
  const control: ProcessControl = {
    kill: call('kill', () => 'down'),
    stop: call('stop', () => 'down'),
    start: call('start', (state) => (state === 'down' ? 'runs' : state)),
    pause: call('pause', (state) => (state === 'down' ? 'down' : 'still')),
    resume: call('resume', (state) => (state === 'down' ? 'down' : 'runs')),
  };
  return { processes: createProcesses({ control, replicas }), calls, stateOf };
}
