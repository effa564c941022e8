import { startEmbedded } from '../../../../chaos/embedded/start.ts';

const { pid } = await startEmbedded({ signal: new AbortController().signal });
process.stdout.write(`${JSON.stringify({ pid })}\n`);
