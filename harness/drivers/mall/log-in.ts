import type { HttpRequest, Reply, Transport } from '../transport.ts';
import { jsonOf } from './body.ts';

/** Every seeded account by its number, from 1: what the data seeder wrote is what the driver logs in with. */
const accountOf = (number: number) => ({ mobile: `138${String(number).padStart(8, '0')}`, password: `password-${number}` });

/** Logs every account in, a few at a time, and answers with their tokens in order. Throws with the account, the gateway and the answer. */
export async function logIn(
  transport: Transport<HttpRequest>,
  { gateways, accounts, atOnce = 8 }: { gateways: readonly string[]; accounts: { count: number }; atOnce?: number },
): Promise<string[]> {
  const tokens: string[] = [];
  let next = 1;
  const take = async () => {
    while (next <= accounts.count) {
      const number = next++;
      tokens[number - 1] = await tokenOf(transport, number, gateways[number % gateways.length] ?? '');
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, accounts.count) }, take));
  return tokens;
}

async function tokenOf(transport: Transport<HttpRequest>, number: number, gateway: string): Promise<string> {
  const account = accountOf(number);
  const reply = await new Promise<Reply>((resolve) =>
    transport.send(
      {
        origin: `http://${gateway}`,
        readsBody: true,
        method: 'POST',
        path: '/api/v1/user/login',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(account),
      },
      resolve,
    ),
  );
  const token = reply.kind === 'answered' && reply.status === 200 ? jsonOf(reply.text).data?.token : undefined;
  if (typeof token === 'string') return token;
  throw new Error(`Expected account ${number} (mobile ${account.mobile}) to log in at ${gateway}, got ${inWords(reply)}`);
}

function inWords(reply: Reply): string {
  switch (reply.kind) {
    case 'answered':
      return `${reply.status} ${reply.text}`.trim();
    case 'broken':
      return reply.message;
    case 'timedOut':
      return 'no answer in time';
    default:
      return reply satisfies never;
  }
}
