import { expect, test } from 'vitest';
import { faultOf, isMobile } from '../../../../../system/services/user/user.ts';

test.each(['13800000001', '15912345678', '19999999999'])('%s is a mobile number', (text) => {
  expect(isMobile(text)).toBe(true);
});

test.each(['12800000001', '1380000000', '138000000012', '+8613800000001', '1380000000a', ' 13800000001', '13800000001\n', ''])(
  '%j is not a mobile number',
  (text) => {
    expect(isMobile(text)).toBe(false);
  },
);

const newcomer = { mobile: '13800000001', name: '小明', password: 'secret' };
test.each([
  [newcomer, undefined],
  [{ ...newcomer, mobile: '123' }, 'mobileFormat'],
  [{ ...newcomer, name: '  ' }, 'badParameter'],
  [{ ...newcomer, name: 'x'.repeat(65) }, 'badParameter'],
  [{ ...newcomer, password: 'short' }, 'badParameter'],
])('what is wrong with %j is %s', (written, fault) => {
  expect(faultOf(written)).toBe(fault);
});
