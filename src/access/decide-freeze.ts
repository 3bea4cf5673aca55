/**
 * Freezing and lifting. A freeze closes what waits in its scope and has not been added yet, in the same commit, and
 * moves the head on which everything that opens access rests: whatever was decided a moment before is decided again,
 * and is refused then. Live grants stay; ending them is what revoking is for.
 */
import type { Refusal } from './command.ts';
import { endGrants } from './decide-operation.ts';
import { actorName, event, eventRow, personActor, type Refused, refused, tellSecurity, timer } from './decision.ts';
import { frozenRefusal, frozenWhy, personFrozen, scopeId } from './freeze.ts';
import { closeRequest } from './lifecycle.ts';
import type {
  AccessRequest,
  Actor,
  Change,
  Freeze,
  Freezes,
  Instant,
  Notice,
  Person,
  Place,
  Scope,
  Subject,
} from './model.ts';
import { anyHolds, type SubjectAnswer } from './policy.ts';
import type { GrantRecord } from './ports.ts';

/** A person in chat with what was looked up of them, or a shell on the host. */
export type FreezeBy =
  | { readonly person: Person; readonly subjects: readonly SubjectAnswer[] }
  | { readonly operator: string };

/** What waits in a scope, or part of it. */
export interface InScope {
  readonly pending: readonly AccessRequest[];
  /** Granted, and nothing of it sent yet. */
  readonly adding: readonly GrantRecord[];
  /** There is more than fits one commit; a timer sees to the rest. */
  readonly more: boolean;
}

export interface FreezeFacts {
  readonly by: FreezeBy;
  /** Who may: already without those on call for something else. */
  readonly may: readonly Subject[];
  readonly scope: Scope;
  readonly name: string;
  /** The scope's row, whether it holds or was lifted. */
  readonly known?: Freeze;
  readonly freezes: Freezes;
  readonly inScope: InScope;
  /** Where else than in the security channels it is told. */
  readonly tell: readonly Place[];
  readonly correlation?: string;
}

export interface FreezeDecision {
  readonly changes: readonly Change[];
  readonly freeze: Freeze;
  readonly closed: number;
  readonly ended: number;
}

export function decideFreeze(
  command: { readonly reason: string },
  facts: FreezeFacts,
  now: Instant,
): FreezeDecision | Refused {
  const actor = actorOf(facts.by);
  const no = mayNot(facts, actor, 'freeze', now);
  if (no !== undefined) return no;
  const { known } = facts;
  if (known !== undefined && known.liftedAt === undefined)
    return refused({ code: 'already_frozen', ...frozenWhy(known) });
  const freeze = freezeRow(facts, command.reason, actor, now);
  const { pending, adding } = facts.inScope;
  return {
    freeze,
    closed: pending.length,
    ended: adding.length,
    changes: [
      ...freezeChanges(freeze, facts, actor, now),
      ...closeInScope(freeze, facts.inScope, actor, now, facts.correlation),
      ...told(freeze, facts.tell, {
        code: 'frozen',
        severity: 'warning',
        at: now,
        says: [
          `${freeze.name} is frozen by ${freeze.by}: “${freeze.reason}”`,
          `${closedText(pending.length, adding.length)} Nothing new is granted there until it is lifted. Access that is live stays: revoke it where it must go.`,
        ],
      }),
    ],
  };
}

/** The row, the head and the trail; whoever revokes a person puts the same. */
export function freezeChanges(
  freeze: Freeze,
  facts: Pick<FreezeFacts, 'known' | 'freezes' | 'inScope' | 'correlation'>,
  actor: Actor,
  now: Instant,
): readonly Change[] {
  return [
    { put: 'freeze', row: freeze, ...(facts.known === undefined ? {} : { was: facts.known.version }) },
    moved(facts.freezes),
    // What came in between the look and this commit, and what did not fit, is found once nothing more can come.
    timer({ ring: 'freeze', freezeId: freeze.id }, now),
    event('freeze.made', now, actor, {
      detail: {
        scope: freeze.id,
        pendingClosed: facts.inScope.pending.length,
        additionsStopped: facts.inScope.adding.length,
      },
      personal: { name: freeze.name, reason: freeze.reason },
      ...correlationOf(facts),
    }),
  ];
}

export function freezeRow(
  facts: Pick<FreezeFacts, 'scope' | 'name' | 'known'>,
  reason: string,
  actor: Actor,
  now: Instant,
): Freeze {
  return {
    id: scopeId(facts.scope),
    version: (facts.known?.version ?? 0) + 1,
    scope: facts.scope,
    name: facts.name,
    reason,
    by: actorName(actor),
    at: now,
  };
}

export function decideUnfreeze(facts: Omit<FreezeFacts, 'inScope'>, now: Instant): FreezeDecision | Refused {
  const actor = actorOf(facts.by);
  const no = mayNot(facts, actor, 'unfreeze', now);
  if (no !== undefined) return no;
  const { known } = facts;
  if (known === undefined || known.liftedAt !== undefined) return refused({ code: 'not_frozen', what: facts.name });
  const freeze: Freeze = { ...known, version: known.version + 1, liftedAt: now, liftedBy: actorName(actor) };
  const others = facts.freezes.live.filter(({ id }) => id !== known.id).map(({ name }) => name);
  return {
    freeze,
    closed: 0,
    ended: 0,
    changes: [
      { put: 'freeze', row: freeze, was: known.version },
      moved(facts.freezes),
      event('freeze.lifted', now, actor, {
        detail: { scope: freeze.id, frozenAt: freeze.at },
        personal: { name: freeze.name },
        ...correlationOf(facts),
      }),
      ...told(freeze, facts.tell, {
        code: 'unfrozen',
        severity: 'info',
        at: now,
        says: [
          `${freeze.name} is open again, lifted by ${actorName(actor)}.`,
          others.length === 0 ? 'Nothing is frozen now.' : `Still frozen: ${others.slice(0, 10).join(', ')}.`,
        ],
      }),
    ],
  };
}

/** The timer's part: whatever in the scope still waits or is not sent, until there is nothing left. */
export function ringFreeze(freeze: Freeze | undefined, inScope: InScope, now: Instant): readonly Change[] {
  if (freeze === undefined || freeze.liftedAt !== undefined) return [];
  if (inScope.pending.length + inScope.adding.length === 0) return [];
  const by: Actor = { kind: 'hallpass', part: 'freeze' };
  return [
    ...closeInScope(freeze, inScope, by, now),
    ...(inScope.more ? [timer({ ring: 'freeze', freezeId: freeze.id }, now)] : []),
  ];
}

function closeInScope(
  freeze: Freeze,
  { pending, adding }: InScope,
  by: Actor,
  now: Instant,
  correlation?: string,
): readonly Change[] {
  const note = `${freeze.name} is frozen: ${freeze.reason}`;
  const ending = { reason: 'revoked', by, note, ...(correlation === undefined ? {} : { correlation }) } as const;
  return [
    ...pending.flatMap((request) => closeRequest(request, 'withdrawn', by, now, note, correlation)),
    ...endGrants(adding, ending, now),
  ];
}

function mayNot(
  facts: Omit<FreezeFacts, 'inScope'>,
  actor: Actor,
  asked: 'freeze' | 'unfreeze',
  now: Instant,
): Refused | undefined {
  if ('operator' in facts.by) return undefined;
  const { person, subjects } = facts.by;
  const attempt = (refusal: Refusal) =>
    refused(
      refusal,
      eventRow('freeze.refused', now, actor, {
        detail: { scope: scopeId(facts.scope), asked, code: refusal.code },
        ...correlationOf(facts),
      }),
    );
  const verdict = anyHolds('eligible', facts.may, subjects);
  if (verdict.is === 'broken')
    return refused({ code: 'cannot_check', what: `whether you may ${asked}`, error: verdict.finding.why });
  if (verdict.is === 'unsatisfied') return attempt({ code: 'not_a_responder' });
  const own = personFrozen(facts.freezes, person.id);
  if (own !== undefined && asked === 'unfreeze') return attempt(frozenRefusal(own));
  return undefined;
}

function actorOf(by: FreezeBy): Actor {
  return 'operator' in by ? { kind: 'operator', name: by.operator } : personActor(by.person);
}

function moved({ version }: Freezes): Change {
  return { put: 'freeze_head', row: { version: version + 1 }, was: version };
}

function told(freeze: Freeze, places: readonly Place[], notice: Notice): readonly Change[] {
  const id = `${notice.code}:${freeze.id}:${freeze.version}`;
  return [
    ...tellSecurity(id, notice),
    ...places.flatMap((place) => tellSecurity(`${id}:${place.platform}:${place.conversation}`, notice, place)),
  ];
}

export function closedText(pending: number, adding: number): string {
  const many = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`;
  if (pending + adding === 0) return 'Nothing was waiting.';
  return [
    ...(pending > 0 ? [`${many(pending, 'request')} withdrawn.`] : []),
    ...(adding > 0 ? [`${many(adding, 'addition')} stopped before it was sent.`] : []),
  ].join(' ');
}

function correlationOf(facts: { readonly correlation?: string }): { readonly correlation?: string } {
  return facts.correlation === undefined ? {} : { correlation: facts.correlation };
}
