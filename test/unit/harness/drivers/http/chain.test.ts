import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Chain, type Link } from '../../../../../harness/drivers/http/chain.ts';

class Member implements Link<Member> {
  earlier: Member | undefined = undefined;
  later: Member | undefined = undefined;
}

test('keeps the order of appending, whatever is taken out', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('append' as const), fc.nat())), (acts) => {
      const chain = new Chain<Member>();
      const expected: Member[] = [];
      for (const act of acts) {
        if (act === 'append') {
          const member = new Member();
          chain.append(member);
          expected.push(member);
        } else {
          const [member] = expected.splice(act % Math.max(1, expected.length), 1);
          if (member === undefined) continue;
          chain.remove(member);
          // It must not keep its old neighbours alive.
          expect(member).toEqual({ earlier: undefined, later: undefined });
        }
        expect(forwards(chain)).toEqual(expected);
        expect(backwards(chain)).toEqual(expected.toReversed());
      }
    }),
  );
});

test('a member that was taken out may come back', () => {
  const chain = new Chain<Member>();
  const [one, other] = [new Member(), new Member()];
  chain.append(one);
  chain.append(other);
  chain.remove(one);
  chain.append(one);
  expect(forwards(chain)).toEqual([other, one]);
});

function forwards({ first }: Chain<Member>): Member[] {
  const members: Member[] = [];
  for (let at = first; at !== undefined; at = at.later) members.push(at);
  return members;
}

function backwards({ last }: Chain<Member>): Member[] {
  const members: Member[] = [];
  for (let at = last; at !== undefined; at = at.earlier) members.push(at);
  return members;
}
