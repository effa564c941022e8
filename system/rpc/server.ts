import type { ServerOptions } from 'node:http2';
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { propagation, ROOT_CONTEXT } from '@opentelemetry/api';
import { HealthImplementation } from 'grpc-health-check';
import { loadContract, protoPath, type RpcService } from '../contracts/load.ts';
import { cancelled, refused } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { observedShedder } from '../telemetry/governance.ts';
import { serverLayers } from './chain.ts';
import { withDeadline } from './context.ts';
import { compose, entered, type Next } from './interceptors/interceptor.ts';
import { metadataGetter } from './metadata.ts';
import { type Handlers, methodsOf } from './methods.ts';
import { toStatus } from './status.ts';

export type { Handlers } from './methods.ts';

/** Of the time until the process has to end, what is left to everything that stops after the server. */
const restMs = 1_000;

/**
 * Answers the contract of `service` at `config.listen`, with health and reflection beside it, and then makes the address known.
 * When the process is told to end, the address is withdrawn at once; later, when
 * callers know, calls in progress get the time to finish that `stop` leaves them. Rejects when the address is taken.
 */
export async function serve<S extends RpcService>(runtime: Runtime, service: S, handlers: Handlers<S>): Promise<void> {
  const { config, log } = runtime;
  const contract = loadContract(service);
  const shedder = observedShedder(runtime, { kind: 'rpc' });
  // By gRPC's health protocol '' is the whole server; a prober may also ask for the service by its full name, such as 'orders.Orders'.
  const healthNames = ['', ...new Set(methodsOf(contract).map(({ path }) => path.split('/')[1] ?? ''))];
  const health = new HealthImplementation(Object.fromEntries(healthNames.map((name) => [name, 'SERVING' as const])));
  const server = bearingResets(new Server(serverOptions));

  server.addService(
    contract,
    Object.fromEntries(
      methodsOf(contract).map(({ name, path }) => {
        const handler = (handlers as Record<string, (request: unknown) => Promise<unknown>>)[name];
        if (handler === undefined) throw new TypeError(`Expected a handler for '${name}' of ${service}, got none`);
        const answer = compose(
          serverLayers(runtime, { path, shedder }),
          entered(async ({ request }) => handler(request)),
        );
        return [name, unary(runtime, answer)];
      }),
    ),
  );
  health.addToServer(server);
  new ReflectionService(loadSync(protoPath(service))).addToServer(server);

  await bind(server, config.listen);
  runtime.onStop('gRPC server', () => {
    for (const name of healthNames) health.setStatus(name, 'NOT_SERVING');
    const { wrapUpMs, waitMs } = config.tuning.stop;
    return drain(server, Math.max(0, waitMs - wrapUpMs - restMs));
  });
  const registration = await runtime.discovery.publish(config.listen);
  runtime.onLeave('registration', registration.withdraw);
  runtime.markStarted();
  log.info({ listen: config.listen }, `${service} answers`);
}

const serverOptions = { 'grpc.keepalive_time_ms': 20_000, 'grpc.keepalive_timeout_ms': 5_000 };

/**
 * Node ends an HTTP/2 session whose streams are reset more than 1,000 times in a burst, against strangers who do that on purpose. Among
 * services it is what deadlines do in an overload, and the session takes all its other calls down with it, as INTERNAL
 * (https://github.com/grpc/grpc-node/issues/2872). grpc-js passes the limit on under no option of its own, hence this reach
 * behind its face; its version is pinned, and a test holds what it is good for.
 */
function bearingResets(server: Server): Server {
  const options: ServerOptions = Reflect.get(server, 'commonServerOptions');
  options.streamResetBurst = 1_000_000;
  options.streamResetRate = 1_000_000;
  return server;
}

/** Where gRPC's callbacks end: the caller's trace, his deadline and his going away become the call's context, a rejection becomes a status. */
function unary({ clock }: Runtime, answer: Next): handleUnaryCall<unknown, unknown> {
  return function unary(call, reply) {
    const deadlineMs = clock.nowMs() + Number(call.getDeadline()) - Date.now();
    const hangUp = new AbortController();
    const onCancelled = () => hangUp.abort(deadlineMs - clock.nowMs() > hangUpMs ? cancelled() : refused('deadline'));
    // gRPC also says so when the call has ended well.
    const end = () => call.off('cancelled', onCancelled);
    call.on('cancelled', onCancelled);
    const caller = propagation.extract(ROOT_CONTEXT, call.metadata, metadataGetter);
    answer({ request: call.request, context: withDeadline(caller, deadlineMs, hangUp) }).then(
      (value) => {
        end();
        reply(null, value);
      },
      (error) => {
        end();
        reply(toStatus(error));
      },
    );
  };
}

/** A caller whose time is up hangs up too, and may be heard a little before the same deadline is reached here. */
const hangUpMs = 50;

function bind(server: Server, listen: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(new Error(`Expected to answer gRPC at ${listen}, got '${error.message}'`, { cause: error }));
    });
  });
}

function drain(server: Server, patienceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, patienceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
