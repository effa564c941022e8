import { createSecureContext } from 'node:tls';
import { Channel, type ChannelCredentials, type ChannelOptions, credentials, Metadata } from '@grpc/grpc-js';
import { messageOf } from '../../core/errors.ts';
import { Call, type Connection, type Shared } from './grpc/call.ts';
import { loadMethods } from './grpc/methods.ts';
import { Chain } from './http/chain.ts';
import type { GrpcRequest, Transport } from './transport.ts';

/**
 * Unary gRPC calls over @grpc/grpc-js. Connections grow with demand: each carries at most `streamsPerConnection` calls at a time, and beyond that
 * another is opened. A server that allows fewer streams makes the rest wait unseen, so it should be no more than what the server allows.
 * Nothing is repeated or balanced, and no deadline is sent: a time limit is the caller's own. A connection that broke is made again after at
 * most a quarter of a second; until then calls on it are broken with what broke it.
 *
 * An answer is any status that the server sent. `message` is as `loadMethods` says; `header('grpc-message')` is what a refusal says in words;
 * binary metadata (`…-bin`) is base64, both ways. Broken replies have Node's codes, besides `BAD_MESSAGE` for an answer that is not as the
 * .proto says or beyond 64 MiB, and `ECLOSED` when the transport was closed meanwhile.
 *
 * Addresses are like `127.0.0.1:50051`, in plain text unless `tls` or `https://` says otherwise; certificates are verified then. A method that
 * the .proto does not have, or a message that it does not allow, throws a UsageError; metadata that cannot be sent, or a method that
 * streams, a TypeError.
 */
export function createGrpcTransport({
  proto,
  timeoutMs,
  now,
  tls = false,
  streamsPerConnection = 100,
}: {
  /** Paths of .proto files, and of folders where their imports are. */
  proto: string | readonly string[];
  timeoutMs: number;
  now: () => number;
  tls?: boolean;
  streamsPerConnection?: number;
}): Transport<GrpcRequest> {
  const methodOf = loadMethods({ proto });
  const shared: Shared = { now, inFlight: new Chain() };
  const connectionsTo = new Map<string, Connection[]>();
  let security: ChannelCredentials | undefined;
  // Whom Node trusts, whatever the environment tells grpc-js.
  const secure = () => {
    security ??= credentials.createFromSecureContext(createSecureContext());
    return security;
  };
  let opened = 0;
  let isClosed = false;

  const sweep = setInterval(() => {
    const nowMs = now();
    // In order of dispatch, and so in order of deadline.
    for (let oldest = shared.inFlight.first; oldest !== undefined && oldest.deadlineMs <= nowMs; oldest = shared.inFlight.first)
      oldest.giveUp();
  }, sweepEveryMs);

  const connectionTo = (address: string): Connection => {
    const connections = connectionsTo.get(address) ?? [];
    let connection = connections.find(({ inFlight }) => inFlight < streamsPerConnection);
    if (connection === undefined) {
      const { target, isSecure } = parseAddress(address, tls);
      const channel = new Channel(target, isSecure ? secure() : credentials.createInsecure(), channelOptions);
      connection = { channel, inFlight: 0 };
      connectionsTo.set(address, [...connections, connection]);
      opened += 1;
    }
    return connection;
  };

  return {
    send: ({ address, method: name, message, metadata }, onReply) => {
      if (isClosed) throw new Error('The transport is closed');
      const deadlineMs = now() + timeoutMs;
      const method = methodOf(name);
      const bytes = method.encode(message);
      const headers = metadataOf(metadata);
      new Call(shared, connectionTo(address), method, deadlineMs, onReply).start(bytes, headers);
    },
    connections: () => ({ open: isClosed ? 0 : opened, peak: opened }),
    close: async () => {
      isClosed = true;
      clearInterval(sweep);
      for (let call = shared.inFlight.first; call !== undefined; call = shared.inFlight.first) call.close();
      for (const connections of connectionsTo.values()) for (const { channel } of connections) channel.close();
      connectionsTo.clear();
    },
  };
}

/** How late a time limit may be noticed. It is recorded as what it was meant to be. */
const sweepEveryMs = 10;

const channelOptions: ChannelOptions = {
  // Else channels to one address share one connection.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  // Nothing is kept for a retry: only then grpc-js tells when a message was written, instead of when it was buffered.
  'grpc.per_rpc_retry_buffer_size': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 250,
  'grpc.dns_min_time_between_resolutions_ms': 250,
  // 4 MiB are not enough for everybody, and beyond it grpc-js pretends that the server refused.
  'grpc.max_receive_message_length': 64 * 1_048_576,
};

function parseAddress(address: string, tls: boolean): { target: string; isSecure: boolean } {
  const [, scheme, target] = /^(?:(https?):\/\/)?((?:\[[\da-f:.]+\]|[^:/?#@\s[\]]+):\d{1,5})$/i.exec(address) ?? [];
  if (target === undefined) throw new TypeError(`Expected an address such as '127.0.0.1:50051', got '${address}'`);
  return { target, isSecure: scheme === undefined ? tls : scheme.toLowerCase() === 'https' };
}

function metadataOf(values: GrpcRequest['metadata']): Metadata {
  const metadata = new Metadata();
  for (const name in values) {
    const value = values[name] ?? '';
    try {
      metadata.set(name, name.toLowerCase().endsWith('-bin') ? Buffer.from(value, 'base64') : value);
    } catch (cause) {
      throw new TypeError(`Expected metadata that can be sent, but: ${messageOf(cause)}`, { cause });
    }
  }
  return metadata;
}
