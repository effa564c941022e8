import { MallError } from '../../errors.ts';
import type { Handlers } from '../../rpc/server.ts';
import { hashPassword, isPassword } from './password.ts';
import type { UserStore } from './store.ts';
import { faultOf, isMobile, isName } from './user.ts';

export function userHandlers(store: UserStore): Handlers<'user'> {
  return {
    async register({ mobile, name, password }) {
      const fault = faultOf({ mobile, name, password });
      if (fault !== undefined) throw new MallError(fault);
      const id = await store.insert({ mobile, name, passwordHash: await hashPassword(password) });
      if (id === undefined) throw new MallError('userExists');
      return { id, mobile, name };
    },

    async login({ mobile, password }) {
      if (!isMobile(mobile)) throw new MallError('mobileFormat');
      const user = await store.byMobile(mobile);
      if (user === undefined) throw new MallError('userMissing');
      if (!(await isPassword(password, user.passwordHash))) throw new MallError('password');
      return { id: user.id, mobile: user.mobile, name: user.name };
    },

    async get({ id }) {
      const account = await store.byId(id);
      if (account === undefined) throw new MallError('userMissing');
      return account;
    },

    async updateInfo({ id, name }) {
      if (!isName(name)) throw new MallError('badParameter', 'Expected a name of 1 to 64 characters');
      const account = await store.rename({ id, name });
      if (account === undefined) throw new MallError('userMissing');
      return account;
    },
  };
}
