/** Sign-ins that become people: the issuer's word, and whose it is in the identity directory. */
import type { PersonId, Pin } from '../access/model.ts';
import { type Clock, type People, PeopleError, type Store } from '../access/ports.ts';
import type { SignedIn, SignIn } from '../access/sign-in.ts';
import type { Dispute } from './identity.ts';
import { lacks } from './lacks.ts';
import { createOidc, type OidcParts } from './oidc.ts';
import { personByOf, proofRule } from './step-up-section.ts';

export interface SignInParts extends OidcParts {
  readonly people: Pick<People, 'named' | 'userIn'>;
  readonly store: Pick<Store, 'pin'>;
  readonly clock: Clock;
  readonly identityDirectory: string;
  /** Where the identity directory is an Okta organisation: its address. */
  readonly identityOkta?: string;
  /** Told whenever a sign-in leads to somebody else than before; never rejects. */
  readonly disputed: (dispute: Dispute) => Promise<void>;
}

export interface StepUp extends SignIn {
  /** Why nobody can sign in, as it was last seen. */
  trouble(): string | undefined;
}

export function createSignIn(parts: SignInParts): StepUp {
  const { section, people, identityDirectory } = parts;
  const oidc = createOidc(parts);
  const rule = proofRule(section);
  const by = personByOf(section, parts.identityOkta);

  async function personOf(signedIn: SignedIn): Promise<PersonId> {
    return by === 'sub' ? await bySubject(signedIn) : await byEmail(signedIn);
  }

  async function bySubject({ subject }: SignedIn): Promise<PersonId> {
    const id = `${identityDirectory}/${subject}`;
    const user = await people.userIn(identityDirectory, id);
    if (!user.active) throw new PeopleError('deactivated', `${user.login} is deactivated in "${identityDirectory}".`);
    return id;
  }

  /** An email can be given to somebody else: an account of the issuer and a person stay each other's. */
  async function byEmail({ issuer, subject, email, emailVerified }: SignedIn): Promise<PersonId> {
    if (email === undefined || !emailVerified)
      throw new PeopleError('unmapped', 'The issuer does not say a verified email, so nobody can tell who signed in.');
    const person = await people.named(email);
    if (person === undefined)
      throw new PeopleError('unmapped', `The directory "${identityDirectory}" has nobody with the login ${email}.`);
    if (!person.active)
      throw new PeopleError('deactivated', `${email} is deactivated in the directory "${identityDirectory}".`);
    await same('subject', `${issuer} ${subject}`, person.id);
    await same('signs_in', `${issuer} ${person.id}`, subject);
    return person.id;
  }

  async function same(space: Pin['space'], name: string, id: string): Promise<void> {
    const pinned = await parts.store.pin({ space, name, id, pinnedAt: parts.clock.now() });
    if (pinned === id) return;
    const [issuer = '', who = ''] = name.split(' ');
    await parts.disputed({
      key: `${space} ${name} ${id}`,
      detail:
        space === 'subject'
          ? `The account ${name} signed in as ${pinned} when Hallpass first saw it; now its email is that of ${id}. It may not sign in. If that is right: hallpass forget subject "${name}" <reason>`
          : `${who} signed in with the account ${pinned} when Hallpass first saw them, and now with ${id}. That account may not sign in. If that is right: hallpass forget subject "${issuer} ${pinned}" <reason>`,
    });
    throw new PeopleError(
      'identity_changed',
      'This account was somebody else when Hallpass first saw it. Security was told, and it cannot sign in until they have looked at it.',
    );
  }

  return {
    begin: oidc.begin,
    finish: oidc.finish,
    trouble: oidc.trouble,
    maxAgeMs: rule.maxAgeMs,
    lacks: (signedIn, now) => lacks(rule, signedIn, now),
    personOf,
  };
}
