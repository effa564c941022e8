import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import type { Contracts, RpcService } from '../contracts/load.ts';

/** The methods of a contract by the names our code calls them: `Create` of the .proto file is `create`. */
type Methods<S extends RpcService> = {
  [M in keyof Contracts[S] as string extends M
    ? never
    : number extends M
      ? never
      : M extends string
        ? Uncapitalize<M>
        : never]: Contracts[S][M];
};

/** What a service is made of: one async function for each method of its contract. */
export type Handlers<S extends RpcService> = {
  [M in keyof Methods<S>]: (request: Received<Methods<S>[M]>) => Promise<Reply<Methods<S>[M]>>;
};

/** What a caller sees of a service. Rejects with a `MallError`; business errors keep their code. */
export type Client<S extends RpcService> = {
  [M in keyof Methods<S>]: (request: Sent<Methods<S>[M]>) => Promise<Answer<Methods<S>[M]>>;
};

type Sent<M> = M extends { requestSerialize: (value: infer T) => Buffer } ? T : never;
type Received<M> = M extends { requestDeserialize: (bytes: Buffer) => infer T } ? T : never;
type Reply<M> = M extends { responseSerialize: (value: infer T) => Buffer } ? T : never;
type Answer<M> = M extends { responseDeserialize: (bytes: Buffer) => infer T } ? T : never;

export type Method = {
  /** As our code calls it: `create`. */
  name: string;
  /** As it is written on the wire: `/orders.Orders/Create`. */
  path: string;
  definition: MethodDefinition<unknown, unknown>;
  /** Whether the contract says that a call may be repeated without harm: `option idempotency_level`. */
  isRepeatable: boolean;
};

export function methodsOf(contract: ServiceDefinition): Method[] {
  return Object.entries(contract).map(([name, definition]) => ({
    name: name.charAt(0).toLowerCase() + name.slice(1),
    path: definition.path,
    definition,
    isRepeatable: repeatable.has(optionsOf(definition)?.idempotency_level),
  }));
}

// https://protobuf.dev/reference/protobuf/google.protobuf/#method-options
const repeatable: ReadonlySet<string | undefined> = new Set(['NO_SIDE_EFFECTS', 'IDEMPOTENT']);

/** The loader hands the options of a method on, which gRPC's own types do not know of. */
const optionsOf = (definition: object) => (definition as { options?: { idempotency_level?: string } }).options;
