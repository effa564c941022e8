import type { GrpcObject, ServiceClientConstructor, ServiceDefinition } from '@grpc/grpc-js';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Service } from '../topology.ts';
import type { InventoryDefinition } from './gen/inventory/Inventory.ts';
import type { OrdersDefinition } from './gen/orders/Orders.ts';
import type { PaymentDefinition } from './gen/payment/Payment.ts';
import type { ProductDefinition } from './gen/product/Product.ts';
import type { UserDefinition } from './gen/user/User.ts';

/** The services that speak gRPC, and the definition that each contract gives. */
export type Contracts = {
  user: UserDefinition;
  product: ProductDefinition;
  inventory: InventoryDefinition;
  orders: OrdersDefinition;
  payment: PaymentDefinition;
};
export type RpcService = keyof Contracts & Service;

/** Loads a contract from its .proto file, the source of both the wire format and the types. */
export function loadContract<S extends RpcService>(service: S): Contracts[S] & ServiceDefinition {
  const definition = loadSync(protoPath(service), { longs: Number, enums: String, defaults: true, arrays: true });
  const namespace = grpc.loadPackageDefinition(definition)[service] as GrpcObject;
  const client = namespace[service[0]?.toUpperCase() + service.slice(1)] as ServiceClientConstructor;
  return client.service as Contracts[S] & ServiceDefinition;
}

export const protoPath = (service: RpcService) => new URL(`./${service}.proto`, import.meta.url).pathname;
