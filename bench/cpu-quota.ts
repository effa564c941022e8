import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';

/** A control group that may use so many CPUs. `dispose` is for when its processes have ended. */
export type Quota = Disposable & { add(pid: number): void };

/** Undefined where this user may not make control groups. */
export function createQuota(cpus: number): Quota | undefined {
  const folders: string[] = [];
  const make = (parent: string) => {
    const folder = `${parent}/stampede-bench-${process.pid}`;
    mkdirSync(folder);
    folders.unshift(folder);
    return folder;
  };
  const remove = () => {
    for (const folder of folders) rmdirSync(folder);
  };
  try {
    if (existsSync('/sys/fs/cgroup/cgroup.controllers')) writeFileSync(`${make('/sys/fs/cgroup')}/cpu.max`, `${cpus * 100_000} 100000`);
    else {
      make('/sys/fs/cgroup/cpuacct');
      writeFileSync(`${make('/sys/fs/cgroup/cpu')}/cpu.cfs_quota_us`, String(cpus * 100_000));
    }
  } catch {
    // No rights, or a control group that hands no CPU on: what needs a quota is then not measured.
    remove();
    return undefined;
  }
  return {
    add: (pid) => {
      for (const folder of folders) writeFileSync(`${folder}/cgroup.procs`, String(pid));
    },
    [Symbol.dispose]: remove,
  };
}
