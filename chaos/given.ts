import { UsageError } from '../core/errors.ts';

/** A Toxiproxy that somebody else runs. */
export type GivenToxiproxy = { controlUrl: string; allowRemote: boolean };

/**
 * Reads `STAMPEDE_TOXIPROXY_URL`: the control address of a Toxiproxy to be used in place of the embedded one. One on another machine needs
 * `STAMPEDE_TOXIPROXY_REMOTE=yes` as well. Throws `UsageError` naming the variable, what was expected and what came.
 */
export function givenToxiproxy(env: NodeJS.ProcessEnv): GivenToxiproxy | undefined {
  const { STAMPEDE_TOXIPROXY_URL: controlUrl = '', STAMPEDE_TOXIPROXY_REMOTE: remote = '' } = env;
  if (!['', 'yes', 'no'].includes(remote)) throw new UsageError(`Expected STAMPEDE_TOXIPROXY_REMOTE to be yes or no, got '${remote}'`);
  if (controlUrl === '') return undefined;
  const url = URL.parse(controlUrl);
  if (url === null || url.protocol !== 'http:' || url.pathname !== '/' || url.search !== '' || url.username !== '')
    throw new UsageError(`Expected STAMPEDE_TOXIPROXY_URL to be an address such as http://127.0.0.1:8474, got '${controlUrl}'`);
  return { controlUrl: url.origin, allowRemote: remote === 'yes' };
}
