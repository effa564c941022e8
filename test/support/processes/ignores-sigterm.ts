// Only SIGKILL ends it. Creates the file given as its argument once it is deaf.
import { writeFileSync } from 'node:fs';

process.on('SIGTERM', () => undefined);
setInterval(() => undefined, 1_000);
const file = process.argv[2];
if (file !== undefined) writeFileSync(file, '');
