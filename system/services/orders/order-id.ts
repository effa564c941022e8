/**
 * A ULID (https://github.com/ulid/spec): 48 bits of Unix milliseconds and 80 bits of chance, as 26 characters that sort by time.
 * Replicas need not agree on anything, and new rows go to the end of the primary key.
 */
export function orderId({ nowMs, entropy }: { nowMs: number; entropy: Uint8Array }): string {
  if (entropy.length !== 10) throw new RangeError(`Expected 10 bytes of entropy, got ${entropy.length}`);
  const chance = entropy.reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
  return crockford(BigInt(Math.floor(nowMs)), 10) + crockford(chance, 16);
}

const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

function crockford(value: bigint, length: number): string {
  let rest = value;
  let text = '';
  for (let place = 0; place < length; place += 1) {
    text = digits[Number(rest & 31n)] + text;
    rest >>= 5n;
  }
  return text;
}
