/** What people do about a finding: ask the holder, hear what they say, or dismiss it with a reason. Revoking ends the grant too. */
import { type Finding, isOver } from './activity.ts';
import type { Refusal } from './command.ts';
import { showFinding } from './decide-activity.ts';
import { event, eventRow, personActor, type Refused, refused } from './decision.ts';
import type { AccessRequest, AccountRef, Change, Instant, Person, Subject } from './model.ts';
import { anyHolds, type SubjectAnswer, subjectName } from './policy.ts';
import { askedFor } from './workload.ts';

export interface FindingFacts {
  readonly person: Person;
  readonly finding: Finding;
  /** What the grant was asked for with: whoever set off a pipeline does not wave through what it did. */
  readonly request?: AccessRequest;
  /** Who may act on it, and the person against them. */
  readonly may: readonly Subject[];
  readonly subjects: readonly SubjectAnswer[];
  readonly correlation?: string;
}

export type FindingOutcome = { readonly finding: Finding; readonly changes: readonly Change[] } | Refused;

/** `account`: where the holder is written to; absent where none is known. */
export function decideAskHolder(facts: FindingFacts & { readonly account?: AccountRef }, now: Instant): FindingOutcome {
  const { person, finding, account } = facts;
  const no = mayNot(facts, 'ask', now);
  if (no !== undefined) return no;
  if (isOver(finding)) return refused(over(finding));
  if (finding.state !== 'open')
    return refused({ code: 'asked_already', finding: finding.id, by: finding.askedBy ?? '' });
  if (account === undefined) return refused({ code: 'nobody_to_write_to', who: finding.holderName });
  const row: Finding = {
    ...finding,
    version: finding.version + 1,
    state: 'asked',
    askedBy: person.name,
    askedAt: now,
  };
  return {
    finding: row,
    changes: [
      ...changed(facts, row, 'finding.asked', now),
      // The holder's own message follows it from then on.
      showFinding(row, now, account),
    ],
  };
}

/** By its holder, in answer to having been asked; also a second time, since the first answer may have been too short. */
export function decideExplain(
  command: { readonly explanation: string },
  facts: FindingFacts & { readonly account?: AccountRef },
  now: Instant,
): FindingOutcome {
  const { person, finding, account } = facts;
  if (person.id !== finding.holder) return refused({ code: 'not_yours', id: finding.id });
  if (isOver(finding)) return refused(over(finding));
  if (finding.state === 'open') return refused({ code: 'not_asked', finding: finding.id });
  if (command.explanation === '') return refused({ code: 'reason_missing', minLength: 1 });
  const row: Finding = {
    ...finding,
    version: finding.version + 1,
    state: 'explained',
    explanation: command.explanation,
    explainedAt: now,
  };
  return {
    finding: row,
    changes: [
      ...changed(facts, row, 'finding.explained', now, { explanation: command.explanation }),
      ...(account === undefined ? [] : [showFinding(row, now, account)]),
    ],
  };
}

export function decideDismiss(
  command: { readonly reason: string },
  facts: FindingFacts & { readonly account?: AccountRef },
  now: Instant,
): FindingOutcome {
  const { person, finding, account } = facts;
  const no = mayNot(facts, 'dismiss', now);
  if (no !== undefined) return no;
  if (isOver(finding)) return refused(over(finding));
  if (command.reason === '') return refused({ code: 'reason_missing', minLength: 1 });
  const row: Finding = {
    ...finding,
    version: finding.version + 1,
    state: 'dismissed',
    closedBy: person.name,
    closedAt: now,
    note: command.reason,
  };
  return {
    finding: row,
    changes: [
      ...changed(facts, row, 'finding.dismissed', now, { reason: command.reason }),
      ...(account === undefined || finding.askedAt === undefined ? [] : [showFinding(row, now, account)]),
    ],
  };
}

/** Beside the revocation of its grant, which is decided by itself. */
export function closeByRevocation(
  facts: Omit<FindingFacts, 'may' | 'subjects'> & { readonly account?: AccountRef },
  now: Instant,
): readonly Change[] {
  const { person, finding, account } = facts;
  if (isOver(finding)) return [];
  const row: Finding = {
    ...finding,
    version: finding.version + 1,
    state: 'revoked',
    closedBy: person.name,
    closedAt: now,
  };
  return [
    ...changed(facts, row, 'finding.revoked', now),
    ...(account === undefined || finding.askedAt === undefined ? [] : [showFinding(row, now, account)]),
  ];
}

type About = Omit<FindingFacts, 'may' | 'subjects'>;
type Asked = 'ask' | 'dismiss' | 'revoke';

/** Whoever is looked into does not say that there is nothing to see; giving the access back is theirs by another way. */
export function notAboutOneself(facts: About, asked: Asked, now: Instant): Refused | undefined {
  const { person, finding, request } = facts;
  const own = person.id === finding.holder || (request !== undefined && askedFor(request, person.id));
  return own ? attempt(facts, asked, { code: 'own_finding' }, now) : undefined;
}

function attempt(facts: About, asked: Asked, refusal: Refusal, now: Instant): Refused {
  const { person, finding } = facts;
  return refused(
    refusal,
    eventRow('finding.refused', now, personActor(person), {
      requestId: finding.requestId,
      grantId: finding.grantId,
      detail: { finding: finding.id, rule: finding.rule, asked, code: refusal.code },
      ...(facts.correlation === undefined ? {} : { correlation: facts.correlation }),
    }),
  );
}

function mayNot(facts: FindingFacts, asked: 'ask' | 'dismiss', now: Instant): Refused | undefined {
  const { may, subjects } = facts;
  const own = notAboutOneself(facts, asked, now);
  if (own !== undefined) return own;
  const verdict = anyHolds('eligible', may, subjects);
  if (verdict.is === 'broken')
    return refused({ code: 'cannot_check', what: 'whether you may act on a finding', error: verdict.finding.why });
  if (verdict.is === 'unsatisfied')
    return attempt(facts, asked, { code: 'not_security', wanted: may.map(subjectName) }, now);
  return undefined;
}

function over(finding: Finding): Refusal {
  return { code: 'finding_over', finding: finding.id, by: finding.closedBy ?? '', how: finding.state };
}

function changed(
  facts: Omit<FindingFacts, 'may' | 'subjects'>,
  row: Finding,
  kind: string,
  now: Instant,
  personal?: Readonly<Record<string, string>>,
): readonly Change[] {
  return [
    { put: 'finding', row, was: facts.finding.version },
    event(kind, now, personActor(facts.person), {
      requestId: row.requestId,
      grantId: row.grantId,
      detail: { finding: row.id, rule: row.rule, level: row.level, holder: row.holder },
      ...(personal === undefined ? {} : { personal }),
      ...(facts.correlation === undefined ? {} : { correlation: facts.correlation }),
    }),
    showFinding(row, now),
  ];
}
