import type { ToxicKind } from '../toxic.ts';
import { bandwidth } from './bandwidth.ts';
import { latency } from './latency.ts';
import { resetPeer } from './reset-peer.ts';
import { timeout } from './timeout.ts';

/** Every toxic by the name that clients use. */
export const toxicKinds: ReadonlyMap<string, ToxicKind> = new Map<string, ToxicKind>([
  ['latency', latency],
  ['bandwidth', bandwidth],
  ['timeout', timeout],
  ['reset_peer', resetPeer],
]);
