/**
 * The first 64 bits of MurmurHash3 x64-128 with seed 0, as go-zero hashes keys and elements of Bloom filters.
 * The reference: https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp
 */
export function murmur3(data: Uint8Array): bigint {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const bodyLength = data.length & ~15;
  let h1 = 0n;
  let h2 = 0n;
  for (let at = 0; at < bodyLength; at += 16) {
    h1 ^= mixed1(view.getBigUint64(at, true));
    h1 = u64(u64(rotated(h1, 27n) + h2) * 5n + 0x52dce729n);
    h2 ^= mixed2(view.getBigUint64(at + 8, true));
    h2 = u64(u64(rotated(h2, 31n) + h1) * 5n + 0x38495ab5n);
  }
  h2 ^= mixed2(littleEndian(data, { from: bodyLength + 8, to: data.length }));
  h1 ^= mixed1(littleEndian(data, { from: bodyLength, to: Math.min(bodyLength + 8, data.length) }));

  h1 ^= BigInt(data.length);
  h2 ^= BigInt(data.length);
  h1 = u64(h1 + h2);
  h2 = u64(h2 + h1);
  return u64(finished(h1) + finished(h2));
}

const c1 = 0x87c37b91114253d5n;
const c2 = 0x4cf5ad432745937fn;

const u64 = (value: bigint) => BigInt.asUintN(64, value);
const rotated = (value: bigint, bits: bigint) => u64(value << bits) | (value >> (64n - bits));
const mixed1 = (k: bigint) => u64(rotated(u64(k * c1), 31n) * c2);
const mixed2 = (k: bigint) => u64(rotated(u64(k * c2), 33n) * c1);

/** What is left of the data behind its last full block, as a number; 0 where nothing is. */
function littleEndian(data: Uint8Array, { from, to }: { from: number; to: number }): bigint {
  let value = 0n;
  for (let at = to - 1; at >= from; at -= 1) value = (value << 8n) | BigInt(data[at] ?? 0);
  return value;
}

/** Spreads every bit over all of them. */
function finished(value: bigint): bigint {
  let k = value ^ (value >> 33n);
  k = u64(k * 0xff51afd7ed558ccdn);
  k ^= k >> 33n;
  k = u64(k * 0xc4ceb9fe1a85ec53n);
  return k ^ (k >> 33n);
}
