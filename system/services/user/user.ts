import type { FailureName } from '../../errors.ts';

/** What others may know of a user. */
export type Account = { id: number; mobile: string; name: string };

/** A mobile number of mainland China: eleven digits, 13 to 19 in front. */
export const isMobile = (text: string) => /^1[3-9]\d{9}$/.test(text);

/** The first thing that is wrong with what a newcomer wrote; undefined when nothing is. */
export function faultOf({ mobile, name, password }: { mobile: string; name: string; password: string }): FailureName | undefined {
  if (!isMobile(mobile)) return 'mobileFormat';
  return isName(name) && password.length >= 6 && password.length <= 128 ? undefined : 'badParameter';
}

export const isName = (text: string) => text.trim() !== '' && text.length <= 64;
