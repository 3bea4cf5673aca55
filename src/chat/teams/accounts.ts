/**
 * Teams' own record of its people, and what of it we believe. Of the two addresses only the user principal name counts
 * as an email: its domain is verified by the tenant, while the mail attribute can hold anything. A field that is missing
 * never speaks for anybody.
 */
import type { AccountRef } from '../../access/model.ts';
import { type AccountFacts, type Accounts, MessengerError } from '../../access/ports.ts';
import { type Calls, field, textField } from './calls.ts';
import type { Places } from './places.ts';
import { GUID_FORM } from './section.ts';
import type { Address } from './wire.ts';

/** A roster is read whole only to find somebody by email, and not for every single one. */
const ROSTER_MS = 60_000;

export interface AccountsOptions {
  readonly calls: Calls;
  readonly places: Places;
  /** Tenants whose people we act for. */
  readonly tenants: readonly string[];
  /** The channel in whose roster people are found whom the bot has not heard from yet. */
  readonly approvalsChannel: string;
  readonly monotonic: () => number;
}

export function createAccounts(options: AccountsOptions): Accounts {
  const { calls, places, tenants, approvalsChannel } = options;
  let roster: { readonly at: number; readonly members: Promise<readonly unknown[]> } | undefined;

  async function channelAddress(): Promise<Address> {
    for (const tenant of tenants) {
      const place = await places.tenant(tenant);
      if (place !== undefined) return { serviceUrl: place.serviceUrl, conversation: approvalsChannel };
    }
    throw new MessengerError('unavailable', 'nothing has come from Teams yet, so it is not known where to ask it');
  }

  async function facts(member: unknown, at: Address): Promise<AccountFacts | undefined> {
    const read = readMember(member, tenants);
    if (read === undefined) return undefined;
    const { account, name } = read.facts;
    if (!read.facts.foreign && !read.facts.guest)
      await places.learnPerson(account, { serviceUrl: at.serviceUrl, user: read.user, name });
    const zone = (await places.person(account))?.zone;
    return { ...read.facts, ...(zone === undefined ? {} : { zone }) };
  }

  /** Everybody in the channel's team, as far as a few pages reach. */
  function members(at: Address): Promise<readonly unknown[]> {
    if (roster !== undefined && options.monotonic() - roster.at < ROSTER_MS) return roster.members;
    const asked = calls.members(at).then((answer) => answer.members);
    roster = { at: options.monotonic(), members: asked };
    asked.catch(() => {
      roster = undefined;
    });
    return asked;
  }

  return {
    async lookup(account) {
      if (account.platform !== 'teams' || !GUID_FORM.test(account.id)) return undefined;
      const place = await places.person(account);
      const seen = place === undefined ? undefined : (place.conversation ?? places.seenIn(account));
      const here = place === undefined || seen === undefined ? [] : [{ ...place, conversation: seen }];
      for (const at of [...here, await channelAddress()]) {
        const found = await facts(await calls.member(at, place?.user ?? account.id), at);
        if (found === undefined) continue;
        // Teams answers for whoever it thinks is meant: only the very same object id of the very same tenant is.
        if (found.account.id !== account.id || found.account.tenant !== account.tenant) continue;
        return found;
      }
      return undefined;
    },
    async byEmail(email) {
      const at = await channelAddress();
      const direct = await facts(await calls.member(at, email), at);
      if (isNamed(direct, email)) return direct;
      for (const member of await members(at)) {
        const read = readMember(member, tenants);
        if (isNamed(read?.facts, email)) return facts(member, at);
      }
      return undefined;
    },
    groupMembers: () => Promise.reject(new MessengerError('rejected', 'Teams has no user groups to ask for')),
  };
}

function isNamed(facts: AccountFacts | undefined, email: string): boolean {
  return facts?.email !== undefined && facts.email.toLowerCase() === email.toLowerCase();
}

/** Guests are whoever Teams does not plainly call a user of the tenant. */
export function readMember(
  member: unknown,
  tenants: readonly string[],
): { readonly user: string; readonly facts: AccountFacts } | undefined {
  const user = textField(member, 'id');
  const object = (textField(member, 'aadObjectId') ?? textField(member, 'objectId'))?.toLowerCase();
  if (user === undefined || object === undefined || !GUID_FORM.test(object)) return undefined;
  const tenant = textField(member, 'tenantId')?.toLowerCase();
  const upn = textField(member, 'userPrincipalName');
  const external = upn === undefined || /#EXT#/i.test(upn);
  const email = !external && /^[^@\s#]+@[^@\s#]+$/.test(upn) ? upn : undefined;
  const account: AccountRef = { platform: 'teams', tenant: tenant ?? '', id: object };
  return {
    user,
    facts: {
      account,
      name: textField(member, 'name') ?? upn ?? object,
      ...(email === undefined ? {} : { email }),
      emailConfirmed: email !== undefined,
      // Who left is in no roster any more; whether the account still works, the directory is asked.
      deleted: false,
      bot: !user.startsWith('29:'),
      guest: field(member, 'userRole') !== 'user' || external,
      foreign: tenant === undefined || !tenants.includes(tenant),
    },
  };
}
