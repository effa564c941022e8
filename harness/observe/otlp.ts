import { promisify } from 'node:util';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import { messageOf } from '../../core/errors.ts';
import { createSpanDecoder, type Span } from './otlp-decode.ts';

export type OtlpReceiver = {
  /** `127.0.0.1:port` of the OTLP/gRPC endpoint. */
  address: string;
  /** Ends at once, with whatever is on its way; calling it again does nothing. */
  close: () => Promise<void>;
};

/**
 * Listens for traces over OTLP/gRPC on a free port of this machine and hands every span to `store`, batch by batch. A malformed batch is
 * answered with INVALID_ARGUMENT: its sender made spans that were never received, and the ledger of spans tells.
 * `epochMs` is the run clock's time of millisecond 0. Rejects when no port can be bound; closes when `signal` fires.
 */
export async function startOtlpReceiver({
  epochMs,
  store,
  signal,
}: {
  epochMs: number;
  store: { add: (spans: readonly Span[]) => void };
  signal?: AbortSignal;
}): Promise<OtlpReceiver> {
  const decode = createSpanDecoder({ epochMs });

  function takeBatch({ request }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>): void {
    let spans: Span[];
    try {
      spans = decode(request);
    } catch (cause) {
      answer({ code: status.INVALID_ARGUMENT, details: messageOf(cause) });
      return;
    }
    store.add(spans);
    // An ExportTraceServiceResponse without fields: everything was accepted.
    answer(null, Buffer.alloc(0));
  }

  signal?.throwIfAborted();
  const server = new Server({ 'grpc.max_receive_message_length': largestBatchBytes });
  server.addService({ Export: exportMethod }, { Export: takeBatch });
  const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', ServerCredentials.createInsecure());
  const close = async () => {
    signal?.removeEventListener('abort', close);
    server.forceShutdown();
  };
  signal?.addEventListener('abort', close);
  return { address: `127.0.0.1:${port}`, close };
}

const largestBatchBytes = 32 * 1024 * 1024;

const asIs = (bytes: Buffer) => bytes;
const exportMethod = {
  path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  requestStream: false,
  responseStream: false,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
} as const;
