/** Protobuf by hand, so that a test can also make what no exporter would. */
export const varint = (value: bigint): Buffer => {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
};

const tag = (field: number, wireType: number) => varint(BigInt(field * 8 + wireType));
export const number = (field: number, value: bigint) => Buffer.concat([tag(field, 0), varint(value)]);
export const block = (field: number, ...parts: Buffer[]) => {
  const content = Buffer.concat(parts);
  return Buffer.concat([tag(field, 2), varint(BigInt(content.length)), content]);
};
export const text = (field: number, value: string) => block(field, Buffer.from(value));
export const hex = (field: number, digits: string) => block(field, Buffer.from(digits, 'hex'));
export const fixed64 = (field: number, value: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return Buffer.concat([tag(field, 1), bytes]);
};
export const double = (field: number, value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, 1), bytes]);
};
export const fixed32 = (field: number, value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return Buffer.concat([tag(field, 5), bytes]);
};

/** A KeyValue as field `field`; `value` is the encoded inside of its AnyValue. */
export const attribute = (field: number, key: string, value: Buffer) => block(field, text(1, key), block(2, value));
export const resource = (service: string, instance: string) =>
  block(1, attribute(1, 'service.name', text(1, service)), attribute(1, 'service.instance.id', text(1, instance)));
/** A whole request with one resource and these encoded insides of spans. */
export const request = (...spans: Buffer[]) => block(1, resource('orders', 'orders.1'), block(2, ...spans.map((span) => block(2, span))));
