import { Client as Channel, connectivityState, credentials, Metadata } from '@grpc/grpc-js';
import { context, propagation, type Span } from '@opentelemetry/api';
import { splitAddress } from '../../core/address.ts';
import { loadContract, type RpcService } from '../contracts/load.ts';
import { stackless } from '../errors.ts';
import type { Discovery, Runtime } from '../runtime.ts';
import { attributes } from '../telemetry/names.ts';
import { clientLayers, retryBudget } from './chain.ts';
import { hangUpOf, remainingMs } from './context.ts';
import { compose, type Next } from './interceptors/interceptor.ts';
import { metadataSetter } from './metadata.ts';
import { type Client, type Method, methodsOf } from './methods.ts';
import { fromStatus } from './status.ts';

export type { Client } from './methods.ts';

/**
 * The methods of `service` as async functions: `await orders.create({ … })`. Each call carries the active trace context and what is left of
 * the caller's time, at most what the tuning gives the edge, and is cancelled when the caller goes away. Rejects with a `MallError`; business
 * errors keep the code that the callee gave them.
 */
export function rpcClient<S extends RpcService>(runtime: Runtime, service: S): Client<S> {
  const edge = `${runtime.config.service}->${service}`;
  const channel = new Channel(runtime.discovery.targetOf(service), credentials.createInsecure(), channelOptions);
  runtime.addCheck(service, () => isConnected(channel));
  runtime.onStop(`channel to ${service}`, async () => channel.close());

  const budget = retryBudget(runtime);
  const methods = methodsOf(loadContract(service)).map((method) => {
    const { path } = method;
    const ask = compose(
      clientLayers(runtime, { edge, path, budget: method.isRepeatable ? budget : undefined }),
      transport(runtime, channel, method),
    );
    return [method.name, (request: unknown) => ask({ request, context: context.active() })];
  });
  return Object.fromEntries(methods);
}

const channelOptions = {
  // gRPC's own retries would hide from the breaker and the balancer what they are there to see.
  'grpc.enable_retries': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.keepalive_time_ms': 20_000,
  'grpc.keepalive_timeout_ms': 5_000,
  // All answers of a replica share one connection. With HTTP/2's 64 KiB on their way at most, they wait for each other as soon as the
  // process is slow to read: in an overload every call would take its whole deadline, though nobody's event loop is full.
  'grpc-node.flow_control_window': 4 * 1_048_576,
};

function transport({ clock, discovery }: Runtime, channel: Channel, { path, definition }: Method): Next {
  return function transport(call) {
    return new Promise((resolve, reject) => {
      const metadata = new Metadata();
      propagation.inject(call.context, metadata, metadataSetter);
      const deadline = Date.now() + remainingMs(clock, call.context);
      const { requestSerialize, responseDeserialize } = definition;
      const hangUp = hangUpOf(call.context);
      const cancel = () => wire.cancel();
      // gRPC makes an error for every call, in case it fails, and would look up its stack.
      const wire = stackless(() =>
        channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, call.request, metadata, { deadline }, (error, answer) => {
          hangUp?.removeEventListener('abort', cancel);
          if (error === null) resolve(answer);
          else reject(stackless(() => fromStatus(error)));
          // Whoever awaits the call goes on later, so the span is still open.
          if (call.span !== undefined) nameReplica(call.span, wire.getPeer(), discovery);
        }),
      );
      hangUp?.addEventListener('abort', cancel);
    });
  };
}

/** Says on the span which replica the balancer chose, and where it was dialled. */
function nameReplica(span: Span, dialled: string, { instanceAt }: Discovery): void {
  const instance = instanceAt(dialled);
  // Unknown for a call that never reached a replica.
  if (instance === undefined) return;
  const { host, port } = splitAddress(dialled);
  span
    .setAttribute(attributes.peer, instance)
    .setAttribute(attributes.networkPeerAddress, host)
    .setAttribute(attributes.networkPeerPort, port);
}

async function isConnected(channel: Channel): Promise<void> {
  const state = channel.getChannel().getConnectivityState(true);
  if (state !== connectivityState.READY) throw new Error(`Expected the channel to be READY, got ${connectivityState[state]}`);
}
