/** What every command on the host stands on: the record, the time it means, and people without a chat platform. */
import type { Person } from '../access/model.ts';
import { type Directory, DirectoryError, type People, PeopleError } from '../access/ports.ts';
import { sharedClock, systemClock } from '../clock.ts';
import type { Settings } from '../config.ts';
import { openRecord } from '../main/opening.ts';

/** With the time that all processes on this database mean. */
export async function opened(settings: Settings) {
  const base = systemClock();
  const store = await openRecord(settings, base);
  const clock = sharedClock(base, store.serverTime);
  await clock.agree();
  if (store.dialect === 'sqlite') clock.notBefore((await store.newestEventAt()) ?? 0);
  return { store, clock };
}

const refuse = () => Promise.reject(new PeopleError('unavailable', 'people are not looked up on the host'));

/** The host acts as the operator, so nobody is asked who may; only whom an email means is looked up. */
export function hostPeople(settings: Settings, directories: ReadonlyMap<string, Directory>): People {
  const { identityDirectory } = settings;
  async function named(email: string): Promise<Person | undefined> {
    const directory = directories.get(identityDirectory);
    try {
      const user = await directory?.findUser(email);
      if (user === undefined) return undefined;
      const { id, name, login, active } = user;
      return { id: `${identityDirectory}/${id}`, name: name || login, email: user.email || email, active };
    } catch (error) {
      if (!(error instanceof DirectoryError)) throw error;
      throw new PeopleError('unavailable', `${identityDirectory} did not say who ${email} is: ${error.message}`, error);
    }
  }
  return {
    identify: refuse,
    holds: refuse,
    membersOf: refuse,
    named,
    stated: refuse,
    byId: refuse,
    userIn: refuse,
    group: refuse,
  };
}
