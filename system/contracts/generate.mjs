// Writes the TypeScript types of the contracts into gen/ (ignored by git). Run by compose/setup.mjs; `npm run contracts` after editing a .proto.
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const generator = createRequire(import.meta.url).resolve('@grpc/proto-loader/build/bin/proto-loader-gen-types.js');

rmSync(join(folder, 'gen'), { recursive: true, force: true });
// The options mirror those in load.ts: what is loaded must look like what is typed.
execFileSync(
  process.execPath,
  [
    generator,
    ...readdirSync(folder).filter((name) => name.endsWith('.proto')),
    '--longs=Number',
    '--enums=String',
    '--defaults',
    '--arrays',
    '--grpcLib=@grpc/grpc-js',
    '--importFileExtension=.ts',
    `--outDir=${join(folder, 'gen')}`,
    `--includeDirs=${folder}`,
  ],
  { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] },
);
