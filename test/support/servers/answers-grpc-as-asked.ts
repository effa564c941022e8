import { fileURLToPath } from 'node:url';
import {
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** What `Place` of shop.proto is asked to do; the other methods are missing. The server listens on the port that is its argument, or any. */
type Asked = { id: string; wait_ms?: number; status?: number; details?: string; sends_headers_first?: boolean };

const proto = loadSync(fileURLToPath(new URL('./shop.proto', import.meta.url)), { keepCase: true, enums: String, longs: String });
const { service } = (loadPackageDefinition(proto).shop as GrpcObject).Orders as ServiceClientConstructor;
const server = new Server({ 'grpc.max_receive_message_length': -1 });

server.addService(service, {
  Place: (call: ServerUnaryCall<Asked, object>, tell: sendUnaryData<object>) => {
    const { wait_ms: waitMs = 0, status = 0, details = '', sends_headers_first: sendsHeadersFirst = false } = call.request;
    if (sendsHeadersFirst) call.sendMetadata(new Metadata());
    afterAtLeast(waitMs, () => {
      const trailers = new Metadata();
      if (!sendsHeadersFirst) trailers.set('x-served-by', 'a fixture');
      if (status === 0)
        tell(null, { id: call.request.id, request: call.request, metadata: call.metadata.getMap(), largest: '9007199254740993' }, trailers);
      else tell({ code: status, details, metadata: trailers });
    });
  },
});

server.bindAsync(`127.0.0.1:${process.argv[2] ?? 0}`, ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.send?.({ port });
});
process.on('disconnect', () => process.exit());

/** Timers may be early by a fraction of a millisecond. */
function afterAtLeast(waitMs: number, then: () => void) {
  const untilMs = performance.now() + waitMs;
  const look = () => {
    const restMs = untilMs - performance.now();
    if (restMs <= 0) then();
    else setTimeout(look, restMs);
  };
  look();
}
