/**
 * A chat account that nothing maps to a person is linked to one by a proof: whoever signs in says whose it is. Whoever is
 * known already is not linked anew, so that no link can take an account over.
 */
import type { Answer, Command, Refusal } from './command.ts';
import { askLink, type Proving, useLink } from './decide-proof.ts';
import { event, personActor, type Refused, refused, tellSecurity } from './decision.ts';
import type { AccountRef, Change, Person, Proof } from './model.ts';
import { type AccountOwners, type Clock, type Ids, type People, PeopleError, type Store } from './ports.ts';

export interface LinkParts {
  readonly people: Pick<People, 'byId' | 'named'>;
  /** Absent: accounts are not linked here. */
  readonly owners?: AccountOwners;
  readonly store: Pick<Store, 'personOf' | 'accountOf'>;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'hash'>;
}

type Linked = { readonly outcome: Refused } | { readonly answer: Answer; readonly changes?: readonly Change[] };

export function accountKey({ platform, tenant, id }: AccountRef): string {
  return `${platform}:${tenant}/${id}`;
}

export function createLinks({ people, owners, store, clock, ids }: LinkParts) {
  return async (
    { by }: Command & { do: 'link' },
    proving: Proving | undefined,
    correlation: { readonly correlation?: string },
  ): Promise<Linked> => {
    if (owners === undefined || proving === undefined)
      return { outcome: refused({ code: 'cannot_check', what: 'who you are', error: 'no issuer is configured' }) };
    const owner = await owners.ownerOf(by);
    if (owner.person !== undefined)
      return { answer: linkedReport(`This account is ${(await people.byId(owner.person)).name}’s already.`) };
    const digest = ids.hash(JSON.stringify(['link', accountKey(by)]));
    const { given } = proving;
    if (given === undefined) return { outcome: askLink(by, owner.name, digest, proving, correlation, clock.now()) };
    const person = await people.byId(given.person);
    const no = await refusalOf(by, owner.email, person);
    if (no !== undefined) return { outcome: refused(no) };
    const used = useLink(person, digest, given, correlation, clock.now());
    if ('refusal' in used) return { outcome: used };
    const changes = [...used.changes, ...linked(by, owner.name, person, given, clock.now())];
    return { answer: linkedReport(`This account is now ${person.name}’s. Security was told.`), changes };
  };

  /** What else is known of the account must not speak against it. */
  async function refusalOf(
    account: AccountRef,
    email: string | undefined,
    person: Person,
  ): Promise<Refusal | undefined> {
    const refusal = (message: string): Refusal => ({ code: 'not_recognised', why: 'identity_changed', message });
    const known = await store.personOf(account);
    if (known !== undefined && known !== person.id)
      return refusal('This account was somebody else when Hallpass first saw it.');
    // Whoever acts by an account there needs no second one; it is whoever sent them the link that would.
    const own = await store.accountOf(person.id, account.platform);
    if (own !== undefined && accountKey(own) !== accountKey(account))
      return refusal(
        `${person.name} acts by another account there. If that one is no longer theirs: hallpass forget account ${accountKey(own)} <reason>, on the host.`,
      );
    const other = email === undefined ? undefined : await people.named(email).catch(unknown);
    if (other !== undefined && other.id !== person.id)
      return refusal('The email of this account is that of somebody else in the directory.');
    return undefined;
  }
}

function unknown(error: unknown): undefined {
  if (error instanceof PeopleError && error.code !== 'unavailable') return undefined;
  throw error;
}

function linked(account: AccountRef, name: string, person: Person, { id }: Proof, now: number): readonly Change[] {
  const key = accountKey(account);
  return [
    { put: 'pin', row: { space: 'linked', name: key, id: person.id, pinnedAt: now } },
    event('identity.linked', now, personActor(person), {
      detail: { account: { ...account }, person: person.id, proof: id },
      personal: { name },
    }),
    ...tellSecurity(`account_linked:${key}`, {
      code: 'account_linked',
      severity: 'warning',
      at: now,
      says: [
        `The ${account.platform === 'slack' ? 'Slack' : 'Teams'} account ${account.tenant}/${account.id}, called ${name} there, acts for ${person.name} (${person.email}) from now on: they signed in with MFA and confirmed it. If that is wrong: hallpass forget account ${key} <reason>`,
      ],
    }),
  ];
}

function linkedReport(headline: string): Answer {
  return {
    say: 'report',
    about: 'link',
    report: { title: 'Your chat account', headline, severity: 'calm', sections: [] },
  };
}
