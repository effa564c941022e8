import { Etcd3, type IOptions } from 'etcd3';

/** A client of the etcd at `address` (`host:port`) that notices within seconds that etcd went away and came back. End it with `close()`. */
export function connectEtcd(address: string): Etcd3 {
  return new Etcd3({
    hosts: `http://${address}`,
    // Without pings a watch on a dead network would wait for ever. More often than every 5 s etcd takes for abuse.
    grpcOptions: { 'grpc.keepalive_time_ms': 10_000, 'grpc.keepalive_timeout_ms': 2_000 },
    faultHandling: { host: () => letEveryCallThrough, watchBackoff: everySecond },
  });
}

const everySecond = { duration: 1_000, next: () => everySecond };

/** Instead of the client's own circuit breaker, which would keep us away for 5 s from an etcd that is back. */
const letEveryCallThrough: HostPolicy = {
  execute: async (call) => call({ signal: neverAborted }),
  onSuccess: () => nothingToDispose,
  onFailure: () => nothingToDispose,
  // Exists in the type only.
  _altReturn: undefined as never,
};

type HostPolicy = ReturnType<NonNullable<NonNullable<IOptions['faultHandling']>['host']>>;
const neverAborted = new AbortController().signal;
const nothingToDispose = { dispose() {} };
