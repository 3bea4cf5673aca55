/** What people do with the digest: see it, be handed every line of it, and sign it. */
import { mayIn } from './aims.ts';
import type { Command, Refusal } from './command.ts';
import { event, eventRow, personActor, refused } from './decision.ts';
import type { Carried } from './emergency.ts';
import { askSubjects, type Sources } from './gather.ts';
import type { AccountRef, Change, DigestRecord, Instant, Job, Person, Subject } from './model.ts';
import { PRIORITY } from './model.ts';
import { anyHolds, type SubjectAnswer, subjectName } from './policy.ts';
import type { Clock, Period, Reports } from './ports.ts';

export interface DigestSigningParts extends Pick<Sources, 'people' | 'catalog'> {
  readonly clock: Pick<Clock, 'now'>;
  /** Absent: there is nothing to sign here. */
  readonly reports?: Reports;
}

/** Those who may sign are those who may act on everything: responders who are not only on call, and admins. */
export async function signDigest(
  { people, catalog, clock, reports }: DigestSigningParts,
  command: Command & { do: 'sign-digest' },
  correlation: { readonly correlation?: string },
): Promise<Carried> {
  const person = await people.identify(command.by);
  const { responders, admins } = catalog();
  const signers = mayIn(catalog(), [...responders, ...admins], { kind: 'all' });
  const [subjects, digest] = await Promise.all([askSubjects(people, signers, person), reports?.made(command.which)]);
  const facts = { person, signers, subjects, ...present(digest), ...correlation };
  const decided = decideSignDigest(command, facts, clock.now());
  if ('refusal' in decided) return decided;
  return { changes: decided.changes, answer: { say: 'signed', day: decided.day } };
}

function present(digest: DigestRecord | undefined): { readonly digest?: DigestRecord } {
  return digest === undefined ? {} : { digest };
}

export interface SignFacts {
  readonly person: Person;
  readonly signers: readonly Subject[];
  /** The person against them. */
  readonly subjects: readonly SubjectAnswer[];
  /** Absent: there is none of that day, or none at all. */
  readonly digest?: DigestRecord;
  readonly correlation?: string;
}

export function decideSignDigest(
  command: Pick<Command & { do: 'sign-digest' }, 'which' | 'note'>,
  facts: SignFacts,
  now: Instant,
):
  | { readonly day: string; readonly changes: readonly Change[] }
  | { readonly refusal: Refusal; readonly record?: ReturnType<typeof eventRow> } {
  const { person, digest } = facts;
  const correlated = facts.correlation === undefined ? {} : { correlation: facts.correlation };
  const verdict = anyHolds('eligible', facts.signers, facts.subjects);
  if (verdict.is === 'broken')
    return refused({ code: 'cannot_check', what: 'whether you may sign this', error: verdict.finding.why });
  if (verdict.is === 'unsatisfied')
    return refused(
      { code: 'not_a_signer', wanted: facts.signers.map(subjectName) },
      eventRow('digest.sign_refused', now, personActor(person), {
        detail: { day: digest?.day ?? null, code: 'not_a_signer' },
        ...correlated,
      }),
    );
  // The mark that the first start leaves counts nothing, so there is nothing to sign in it.
  if (digest?.id === undefined) {
    if ('id' in command.which) return refused({ code: 'expired_button' });
    const { day } = command.which;
    return refused({ code: 'no_digest', ...(day === undefined ? {} : { day }) });
  }
  const { day } = digest;
  if (digest.signedAt !== undefined) return refused({ code: 'signed_already', day, by: digest.signedBy ?? '' });
  const row: DigestRecord = {
    ...digest,
    version: digest.version + 1,
    signedAt: now,
    signedBy: person.name,
    ...(command.note === undefined ? {} : { note: command.note }),
  };
  return {
    day,
    changes: [
      { put: 'digest', row, was: digest.version },
      event('digest.signed_off', now, personActor(person), {
        detail: { day, madeAt: digest.madeAt, from: digest.fromAt, to: digest.toAt },
        ...(command.note === undefined ? {} : { personal: { note: command.note } }),
        ...correlated,
      }),
      showDigest(day, now),
    ],
  };
}

/** In its channels, or there anew with who signed it. */
export function showDigest(day: string, at: Instant): Change {
  return notification({ id: `digest:${day}`, dueAt: at, payload: { tell: 'digest', day } });
}

/** Where every line of a digest is: below its message, among somebody's own messages, or only on the host. */
export function detailsNote(where: 'below' | 'own' | 'host', days: number): string {
  switch (where) {
    case 'below':
      return 'Every line of it is in the file below.';
    case 'own':
      return 'Every line of it follows as a file, in your own messages with Hallpass.';
    case 'host':
      return `Every line of it: hallpass digest --days ${days} --csv, on the host.`;
  }
}

/** Every line of it as a file, to wherever that can be sent. */
export function handDetails(
  { from, to }: Period,
  whom: { readonly day: string } | { readonly account: AccountRef },
  at: Instant,
): Change {
  const id =
    'day' in whom
      ? `details:${whom.day}`
      : `details:${whom.account.platform}:${whom.account.tenant}:${whom.account.id}:${at}`;
  return notification({ id, dueAt: at, payload: { tell: 'details', fromAt: from, toAt: to, to: whom } });
}

function notification(of: Pick<Extract<Job, { kind: 'notification' }>, 'id' | 'dueAt' | 'payload'>): Change {
  return { put: 'job', row: { kind: 'notification', lane: 'chat', priority: PRIORITY.usual, ...of } };
}
