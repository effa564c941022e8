/**
 * Counts the requests in a connection's bytes: heads without bodies, one after the other, in whatever pieces they come. The answer is how many
 * ended in this piece. Nearly always a piece is exactly one head, and only its last four bytes are looked at.
 */
export function createAsks(): (bytes: Buffer) => number {
  // How much of the empty line that ends a head has been seen at the end of the last piece.
  let matched = 0;
  return function take(bytes) {
    let ended = 0;
    // An empty line that is not the last thing here: several heads in one piece.
    if (matched === 0 && bytes.length >= 4 && bytes.indexOf(emptyLine) === bytes.length - 4) return 1;
    for (const byte of bytes) {
      matched = byte === emptyLine[matched] ? matched + 1 : byte === cr ? 1 : 0;
      if (matched < 4) continue;
      ended += 1;
      matched = 0;
    }
    return ended;
  };
}

const emptyLine = Buffer.from('\r\n\r\n');
const cr = 0x0d;
