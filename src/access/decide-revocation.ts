/**
 * Ending many grants at once. It is previewed first and confirmed by whoever previewed it; what is ended is what was
 * shown. Pending requests of the scope close in the commit of the first grants' end, and until a timer has looked for
 * those that came in at that moment, the scope is closed: so nothing that waited becomes access. Everything past the
 * first commit is done by that timer, in bounded commits, which also draws the progress.
 */
import type { Refusal } from './command.ts';
import { freezeChanges, freezeRow } from './decide-freeze.ts';
import { endGrants } from './decide-operation.ts';
import { actorName, event, eventRow, personActor, type Refused, refused, timer } from './decision.ts';
import { isLive } from './ledger.ts';
import { closeRequest } from './lifecycle.ts';
import type {
  AccessRequest,
  AccountRef,
  Actor,
  Change,
  Freeze,
  Freezes,
  Grant,
  Instant,
  Person,
  Revocation,
  Scope,
  Subject,
} from './model.ts';
import { PRIORITY } from './model.ts';
import { anyHolds, type SubjectAnswer } from './policy.ts';
import type { GrantRecord } from './ports.ts';

/** A preview is confirmed within this time: later, what it shows is no longer what is there. */
export const CONFIRM_WITHIN_MS = 10 * 60_000;
/** Grants ended in one commit: enough to be quick, few enough that others are not kept waiting. */
export const ENDED_AT_ONCE = 50;

export type RevokeBy =
  | { readonly person: Person; readonly subjects: readonly SubjectAnswer[] }
  | { readonly operator: string };

export interface PreviewFacts {
  readonly by: RevokeBy;
  /** Who may: already without those on call for something else. */
  readonly may: readonly Subject[];
  readonly id: string;
  readonly scope: Scope;
  readonly name: string;
  readonly except: Revocation['except'];
  readonly since?: Instant;
  /** Live grants it would end. */
  readonly grants: readonly Grant[];
  readonly pending: readonly AccessRequest[];
  /** There is more than one revocation takes. */
  readonly more: boolean;
  readonly correlation?: string;
}

export function decidePreview(
  command: { readonly reason: string },
  facts: PreviewFacts,
  now: Instant,
): { readonly revocation: Revocation; readonly changes: readonly Change[] } | Refused {
  const actor = actorOf(facts.by);
  const no = mayNot(facts.by, facts.may, facts.scope, actor, now, facts.correlation);
  if (no !== undefined) return no;
  // A person is frozen also when there is nothing to end: else they would ask a minute later.
  if (facts.grants.length + facts.pending.length === 0 && facts.scope.kind !== 'person')
    return refused({ code: 'nothing_to_revoke', what: facts.name });
  const person = 'person' in facts.by ? facts.by.person : undefined;
  const revocation: Revocation = {
    id: facts.id,
    version: 1,
    state: 'previewed',
    scope: facts.scope,
    name: facts.name,
    except: facts.except,
    ...(facts.since === undefined ? {} : { since: facts.since }),
    reason: command.reason,
    by: actorName(actor),
    ...(person === undefined ? {} : { byPerson: person.id }),
    ...(person?.account === undefined ? {} : { byAccount: person.account }),
    ...(person?.zone === undefined ? {} : { byZone: person.zone }),
    grants: facts.grants.map(({ id }) => id),
    more: facts.more,
    createdAt: now,
  };
  return {
    revocation,
    changes: [
      { put: 'revocation', row: revocation },
      event('revocation.previewed', now, actor, {
        detail: { ...about(revocation), grants: revocation.grants.length, pending: facts.pending.length },
        personal: { name: revocation.name, reason: revocation.reason },
        ...correlationOf(facts),
      }),
    ],
  };
}

export interface ConfirmFacts {
  readonly by: RevokeBy;
  readonly may: readonly Subject[];
  readonly revocation: Revocation;
  readonly freezes: Freezes;
  /** The row of the freeze that closes the scope: of the person, or only until the scope has been looked through. */
  readonly known?: Freeze;
  /** Previewed grants that are still live, the first of them. */
  readonly first: readonly GrantRecord[];
  readonly pending: readonly AccessRequest[];
  readonly correlation?: string;
}

export function decideConfirm(
  facts: ConfirmFacts,
  now: Instant,
): { readonly revocation: Revocation; readonly changes: readonly Change[] } | Refused {
  const { revocation, first, pending, known } = facts;
  const actor = actorOf(facts.by);
  // The button is for whoever was shown the preview; to everybody else it stands for nothing.
  const person = 'person' in facts.by ? facts.by.person.id : undefined;
  if (revocation.byPerson !== person || revocation.state !== 'previewed') return refused({ code: 'expired_button' });
  if (now >= revocation.createdAt + CONFIRM_WITHIN_MS) return refused({ code: 'preview_expired' });
  const no = mayNot(facts.by, facts.may, revocation.scope, actor, now, facts.correlation);
  if (no !== undefined) return no;
  const running: Revocation = { ...revocation, version: revocation.version + 1, state: 'running', confirmedAt: now };
  return {
    revocation: running,
    changes: [
      { put: 'revocation', row: running, was: revocation.version },
      event('revocation.confirmed', now, actor, {
        detail: { ...about(running), grants: running.grants.length, pending: pending.length },
        personal: { name: running.name, reason: running.reason },
        ...correlationOf(facts),
      }),
      ...closed(running, facts, known, actor, now),
      ...ended(running, first, pending, actor, now),
      timer({ ring: 'revocation', revocationId: running.id }, now),
      ...progress(running, now),
    ],
  };
}

/** A person stays frozen until somebody lifts it; any other scope opens again once it has been looked through. */
function closed(
  revocation: Revocation,
  facts: Pick<ConfirmFacts, 'freezes' | 'pending' | 'correlation'>,
  known: Freeze | undefined,
  actor: Actor,
  now: Instant,
): readonly Change[] {
  if (known !== undefined && known.liftedAt === undefined) return [];
  const { scope, name, reason, except, id } = revocation;
  const row = freezeRow({ scope, name, ...(known === undefined ? {} : { known }) }, reason, actor, now);
  if (scope.kind === 'person') {
    const inScope = { pending: facts.pending, adding: [], more: false };
    return freezeChanges(row, { ...facts, ...(known === undefined ? {} : { known }), inScope }, actor, now);
  }
  const sweeping: Freeze = {
    ...row,
    id: sweepId(id),
    sweeping: id,
    ...(except.length === 0 ? {} : { except: except.map(({ person }) => person) }),
  };
  const { version } = facts.freezes;
  return [
    { put: 'freeze', row: sweeping },
    { put: 'freeze_head', row: { version: version + 1 }, was: version },
  ];
}

/** The id of the freeze under which a revocation looks through its scope. */
export function sweepId(revocationId: string): string {
  return `revocation:${revocationId}`;
}

function ended(
  revocation: Revocation,
  records: readonly GrantRecord[],
  pending: readonly AccessRequest[],
  by: Actor,
  now: Instant,
): readonly Change[] {
  const note = revocation.reason;
  const correlation = sweepId(revocation.id);
  const live = records.filter(({ grant }) => isLive(grant));
  // A request for more time closes with its grant; put twice it would never be committed.
  const withGrant = new Set(live.flatMap(({ extension }) => extension?.id ?? []));
  return [
    ...endGrants(live, { reason: 'revoked', by, note, correlation }, now),
    ...pending
      .filter(({ id }) => !withGrant.has(id))
      .flatMap((request) => closeRequest(request, 'withdrawn', by, now, `revoked: ${note}`, correlation)),
  ];
}

export interface RevocationProgress {
  readonly revocation: Revocation;
  readonly freezes: Freezes;
  /** The freeze that only held while it looked through its scope, as long as it holds. */
  readonly sweep?: Freeze;
  /** Its grants as they are now. */
  readonly grants: readonly Grant[];
  /** Of those that are live, the next. */
  readonly next: readonly GrantRecord[];
  /** What still waits in its scope, the first of it. */
  readonly pending: readonly AccessRequest[];
}

/** The timer's part: the next batch, the scope opened again, the progress, and the end. */
export function ringRevocation(facts: RevocationProgress, now: Instant): readonly Change[] {
  const { revocation, sweep, grants, next, freezes } = facts;
  if (revocation.state !== 'running') return [];
  const by: Actor = { kind: 'hallpass', part: 'revocation' };
  // Only while the scope is closed: what is asked for afterwards is asked for anew.
  const pending = sweep === undefined ? [] : facts.pending;
  const live = grants.filter(isLive).length;
  // Closed only as long as something that waited at the confirmation may still be there.
  const closing = pending.length > 0;
  const open = closing || live > next.length;
  const over = live === 0 && grants.every(({ state }) => state === 'ended');
  const opened: Change[] =
    sweep === undefined || closing
      ? []
      : [
          {
            put: 'freeze',
            row: { ...sweep, version: sweep.version + 1, liftedAt: now, liftedBy: 'Hallpass' },
            was: sweep.version,
          },
          { put: 'freeze_head', row: { version: freezes.version + 1 }, was: freezes.version },
        ];
  const done: Revocation = { ...revocation, version: revocation.version + 1, state: 'done', doneAt: now };
  return [
    ...ended(revocation, next, pending, by, now),
    ...opened,
    ...(over && !open
      ? [
          { put: 'revocation' as const, row: done, was: revocation.version },
          event('revocation.proven', now, by, {
            detail: { ...about(revocation), grants: grants.length, tookMs: now - (revocation.confirmedAt ?? now) },
          }),
        ]
      : [timer({ ring: 'revocation', revocationId: revocation.id }, open ? now : now + lookAgainMs(revocation, now))]),
    ...progress(revocation, now),
  ];
}

/** Every second while people wait for it, and slower when it takes a directory's outage. */
function lookAgainMs({ confirmedAt = 0 }: Revocation, now: Instant): number {
  const ageMs = now - confirmedAt;
  if (ageMs < 60_000) return 1_000;
  return ageMs < 600_000 ? 5_000 : 60_000;
}

/** One message in each place, drawn from what holds when it is sent: looks in a row are one update. */
function progress(revocation: Revocation, now: Instant): readonly Change[] {
  const message = (where: string, to: { readonly account?: AccountRef }): Change => ({
    put: 'job',
    row: {
      kind: 'notification',
      id: `msg:${sweepId(revocation.id)}:${where}`,
      lane: 'chat',
      priority: PRIORITY.removal,
      dueAt: now,
      payload: { tell: 'revocation', revocationId: revocation.id, ...to },
    },
  });
  const { byAccount } = revocation;
  return [message('security', {}), ...(byAccount === undefined ? [] : [message('own', { account: byAccount })])];
}

function mayNot(
  by: RevokeBy,
  may: readonly Subject[],
  scope: Scope,
  actor: Actor,
  now: Instant,
  correlation: string | undefined,
): Refused | undefined {
  if ('operator' in by) return undefined;
  const verdict = anyHolds('eligible', may, by.subjects);
  if (verdict.is === 'satisfied') return undefined;
  if (verdict.is === 'broken')
    return refused({ code: 'cannot_check', what: 'whether you may revoke', error: verdict.finding.why });
  const refusal: Refusal = { code: 'not_a_responder' };
  const detail = { scope: scope.kind === 'person' ? scope.person : scope.kind === 'all' ? 'all' : scope.resource };
  return refused(
    refusal,
    eventRow('revocation.refused', now, actor, {
      detail: { ...detail, code: refusal.code },
      ...(correlation === undefined ? {} : { correlation }),
    }),
  );
}

function about(revocation: Revocation) {
  const { id, scope, since, except } = revocation;
  return {
    revocation: id,
    scope: scope.kind === 'person' ? scope.person : scope.kind === 'all' ? 'all' : scope.resource,
    since: since ?? null,
    except: except.map(({ person }) => person),
  };
}

/** Whether a grant is one of those that a revocation is about. */
export function isMeant(
  { except, since }: Pick<Revocation, 'except' | 'since'>,
  grant: Pick<Grant, 'holder' | 'approvedAt' | 'state'>,
): boolean {
  if (grant.state !== 'adding' && grant.state !== 'active') return false;
  if (except.some(({ person }) => person === grant.holder)) return false;
  return since === undefined || grant.approvedAt >= since;
}

function actorOf(by: RevokeBy): Actor {
  return 'operator' in by ? { kind: 'operator', name: by.operator } : personActor(by.person);
}

function correlationOf(facts: { readonly correlation?: string }): { readonly correlation?: string } {
  return facts.correlation === undefined ? {} : { correlation: facts.correlation };
}
