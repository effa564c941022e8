import { type Channel, connectivityState, type Metadata, type StatusObject } from '@grpc/grpc-js';

/** `code` as in Node's errors; `wasWritten` is false where the request never left. */
export type Break = { code: string | undefined; message: string; wasWritten: boolean };

/**
 * Why there is no status of a server's, or undefined where there is one. grpc-js gives every call a status, and makes one up where no whole
 * answer came: UNAVAILABLE when there is no connection, which a server may say as well, and may even say in the same words when it passes on
 * what happened to a call of its own. So words count last:
 *
 * - Without headers before it, a server's status is a response of its own, and that must have a content-type; none is made up with one.
 * - With headers before it, and with trailers besides the status, it is a server's too.
 * - Else it is made up when it is what grpc-js says of a connection or stream that broke. Of a connection, only when it really is gone.
 */
export function breakOf(
  { details, metadata }: StatusObject,
  { hasHeaders, channel }: { hasHeaders: boolean; channel: Pick<Channel, 'getConnectivityState'> },
): Break | undefined {
  const isOwn = hasHeaders ? hasTrailers(metadata) || !isOfBreaks(details, channel) : metadata.get('content-type').length > 0;
  if (isOwn) return;
  return {
    code: codeIn(details),
    message: details.replace(/\. Resolution note: .*$/s, ''),
    wasWritten: !/^Write (error|failed)/.test(details),
  };
}

const hasTrailers = (metadata: Metadata) => Object.keys(metadata.getMap()).length > 0;

function isOfBreaks(details: string, channel: Pick<Channel, 'getConnectivityState'>): boolean {
  return ofStreams.test(details) || (ofConnections.test(details) && channel.getConnectivityState(false) !== connectivityState.READY);
}

const ofConnections = /^(Connection dropped$|Write error: |Write failed with error |(read|write) E[A-Z]+)/;
const ofStreams =
  /^(Received RST_STREAM with code \d|Stream refused by server$|Call cancelled$|Bandwidth exhausted or memory|Protocol not secure|Received message (larger|that decompresses)|Failed to decompress)/;

function codeIn(details: string): string | undefined {
  const named = /\bE(?!RR_)[A-Z]{2,}(_[A-Z]+)*\b/.exec(details)?.[0];
  if (named !== undefined) return named;
  if (/^Name resolution failed/.test(details)) return 'ENOTFOUND';
  if (/^(Received message|Failed to decompress)/.test(details)) return 'BAD_MESSAGE';
  return ofConnections.test(details) || ofStreams.test(details) ? 'ECONNRESET' : undefined;
}
