// Asks a user store for one user a thousand times at once, as soon as it is told to, and prints how many answers had the user's name.
// Its arguments are the addresses of MariaDB and Redis.
import { once } from 'node:events';
import { userStore } from '../../../system/services/user/store.ts';
import { openCache } from '../../../system/stores/cache.ts';
import { openRedis } from '../../../system/stores/redis.ts';
import { openSql } from '../../../system/stores/sql.ts';
import { testRuntime } from '../runtime.ts';

const [mysql = '', redis = ''] = process.argv.slice(2);
const runtime = testRuntime('user', { config: { mysql, redis } });
const users = userStore({ sql: await openSql(runtime), cache: openCache(runtime, openRedis(runtime)) });
console.log('ready');
await once(process.stdin, 'data');
const answers = await Promise.all(Array.from({ length: 1_000 }, () => users.byMobile('13800000001')));
console.log(answers.filter((user) => user?.name === 'Shopper 1').length);
await runtime.stop();
process.exit(0);
