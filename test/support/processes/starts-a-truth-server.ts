import { startTruthServer } from '../../../bench/truth/server-control.ts';

/** Starts the server, brings it to a standstill, tells its process id, and does no more. */
const server = await startTruthServer();
server.stop();
process.send?.(server.pid);
