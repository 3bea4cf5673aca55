/**
 * Adoption: an admin makes permanent what a live grant added. The one way in which something of ours becomes baseline,
 * so it is said to security, and nobody does it for themselves.
 */
import type { Refusal } from './command.ts';
import { event, eventRow, type Outcome, operation, personActor, putGrant, refused, tellSecurity } from './decision.ts';
import { frozenRefusal, personFrozen, restsOn } from './freeze.ts';
import { expiresNatively, isLive, keyText, madePermanent } from './ledger.ts';
import { show } from './lifecycle.ts';
import type { Freezes, Instant, Membership, Person, Subject } from './model.ts';
import { PRIORITY } from './model.ts';
import { anyHolds, type SubjectAnswer } from './policy.ts';
import type { GrantRecord } from './ports.ts';
import { askedFor, frozenAmong } from './workload.ts';

export type AdoptFacts = {
  readonly person: Person;
  readonly admins: readonly Subject[];
  readonly subjects: readonly SubjectAnswer[];
  readonly freezes: Freezes;
  readonly correlation?: string;
} & ({ readonly record: GrantRecord } | { readonly missing: Refusal });

export function decideAdopt(command: { readonly reason: string }, facts: AdoptFacts, now: Instant): Outcome {
  const { person, freezes } = facts;
  const correlation = facts.correlation === undefined ? {} : { correlation: facts.correlation };
  const actor = personActor(person);
  const verdict = anyHolds('eligible', facts.admins, facts.subjects);
  if (verdict.is === 'broken')
    return refused({ code: 'cannot_check', what: 'whether you are an admin', error: verdict.finding.why });
  // Before anything else, so that an id tried out tells nobody else anything.
  if (verdict.is === 'unsatisfied')
    return refused(
      { code: 'not_an_admin' },
      eventRow('adoption.refused', now, actor, { detail: { code: 'not_an_admin' }, ...correlation }),
    );
  const taken = personFrozen(freezes, person.id);
  if (taken !== undefined) return refused(frozenRefusal(taken));
  if ('missing' in facts) return refused(facts.missing);
  const { grant, request } = facts.record;
  if (grant.holder === person.id || askedFor(request, person.id))
    return refused({ code: 'own_access', grantId: grant.id });
  const freeze = frozenAmong(freezes, request);
  if (freeze !== undefined) return refused(frozenRefusal(freeze));
  if (!isLive(grant)) return refused({ code: 'not_live', grantId: grant.id });
  const rows = facts.record.memberships.flatMap(({ membership }) => (adoptable(membership) ? [membership] : []));
  if (rows.length === 0) return refused({ code: 'nothing_to_adopt', grantId: grant.id });
  const about = { requestId: request.id, grantId: grant.id, ...correlation };
  const groups = rows.map(({ groupName, key }) => `${groupName} in ${key.directory}`);
  return {
    done: 'adopted',
    requestId: request.id,
    changes: [
      putGrant(grant, {}).change,
      restsOn(freezes),
      ...rows.flatMap((row) => [
        { put: 'membership' as const, row: madePermanent(row, now), was: row.version },
        // The directory must not end what is permanent now.
        ...(expiresNatively(row) ? [operation(row.key, now, PRIORITY.addition)] : []),
        event('membership.adopted', now, actor, {
          ...about,
          membership: row.key,
          detail: { entitlement: grant.entitlement, membership: keyText(row.key), origin: row.origin },
          personal: { reason: command.reason },
        }),
      ]),
      ...show(request, [], now),
      ...tellSecurity(`adopted:${grant.id}:${grant.version}`, {
        code: 'adopted',
        severity: 'warning',
        at: now,
        grantId: grant.id,
        requestId: request.id,
        holderName: grant.holderName,
        entitlement: grant.entitlement,
        says: [
          `${person.name} made it permanent: ${groups.join(', ')}. Hallpass does not remove it any more. Reason: ${command.reason}`,
        ],
      }),
    ],
  };
}

/** Added by us, for certain, and not being taken away. */
function adoptable(row: Membership | undefined): row is Membership {
  return row?.origin === 'ours' && row.addOutcome === 'accepted' && row.removeStartedAt === undefined;
}
