/**
 * Who is asked while a request waits: the people of the next stage, a step of the ladder, whoever has come on call.
 * Asking is all it does: who may answer is judged at the click.
 */

import type { Rung } from './decide-close.ts';
import type { Approvers } from './decide-request.ts';
import { event, messageId, putRequest, showEverywhere, timer } from './decision.ts';
import type {
  AccessRequest,
  Actor,
  Asking,
  Audience,
  Change,
  Entitlement,
  Instant,
  Person,
  PersonId,
} from './model.ts';
import { PRIORITY } from './model.ts';
import { subjectName } from './policy.ts';
import { platformOf, type RequestRecord } from './ports.ts';
import { countedApprovals, nextAskAt, REMINDERS_MAX, remindAt, stepsReached } from './stages.ts';
import { requestersOf } from './workload.ts';

/** At most so many messages to approvers for one request, handovers included. */
export const ASKED_MOST = 60;
/** A request under a changed policy asks nobody new: whoever answers it next has it drawn anew. */
const CHANGED_LOOK_MS = 5 * 60_000;

export interface AskFacts {
  /** What the file says now; absent when the entitlement is no longer there. */
  readonly entitlement?: Entitlement;
  /** Of the stage that waits, with the steps that `wantedSteps` names; absent when there is nothing to look up. */
  readonly asked?: Approvers;
}

/** What has to be looked up before `ringAsk`; absent: nothing. */
export function toLookUp(
  record: RequestRecord | undefined,
  entitlement: Entitlement | undefined,
  now: Instant,
): { readonly asking: Asking; readonly steps: number; readonly except: ReadonlySet<PersonId> } | undefined {
  const asking = record?.request.asking;
  if (record === undefined || asking === undefined || !waits(record, now)) return undefined;
  if (entitlement?.policy.hash !== record.request.policyHash) return undefined;
  return { asking, steps: stepsReached(asking, now), except: cannotAnswer(record) };
}

/** The requester, and whoever has approved already. */
function cannotAnswer({ request, approvals }: RequestRecord): ReadonlySet<PersonId> {
  return new Set([...requestersOf(request), ...countedApprovals(request, approvals).map((given) => given.approver)]);
}

function waits({ request }: RequestRecord, now: Instant): boolean {
  return request.state === 'pending' && now < request.lapsesAt;
}

/** A doorbell like the others: it looks at what holds now, and may ring early, late or twice. */
export function ringAsk(record: RequestRecord | undefined, facts: AskFacts, now: Instant): Rung {
  const before = record?.request.asking;
  if (record === undefined || before === undefined || !waits(record, now)) return [];
  const { request } = record;
  const policy = facts.entitlement?.policy;
  if (policy === undefined || policy.hash !== request.policyHash || facts.asked === undefined)
    return { dueAt: now + CHANGED_LOOK_MS };
  const people = facts.asked.people;
  const found: Asking = {
    ...before,
    steps: Math.max(before.steps, facts.asked.steps ?? 0),
    now: people.map(({ id, name }) => ({ person: id, name })),
    failed: facts.asked.failed ?? [],
  };
  const added = newAudiences(request.audiences, people);
  const every = policy.remindEveryMs;
  const due = every !== undefined && before.reminders < REMINDERS_MAX && now >= remindAt(before, every);
  // However late it rings, it reminds once, and whoever is asked for the first time is not reminded of it.
  const reminded = due ? reminders(request, before.reminders + 1, now) : [];
  const asking: Asking = due ? { ...found, reminders: before.reminders + 1, remindedAt: now } : found;
  const next = nextAskAt(request, asking, every, now);
  if (!due && added.length === 0 && sameAsked(before, asking)) return next === undefined ? [] : { dueAt: next };

  const { row, change } = putRequest(request, { asking, audiences: [...request.audiences, ...added] });
  const by: Actor = { kind: 'hallpass', part: 'timers' };
  const about = { requestId: request.id };
  const stage = asking.stage + 1;
  const steps = asking.stages[asking.stage]?.escalate.slice(before.steps, asking.steps) ?? [];
  return [
    change,
    ...steps.map((step, index) =>
      event('request.escalated', now, by, {
        ...about,
        detail: {
          stage,
          step: before.steps + index + 1,
          to: step.to.map(subjectName),
          // Before its time: there was nobody else to ask, or nobody could tell who.
          why: now >= before.sinceAt + step.afterMs ? 'nobody_answered' : 'nobody_to_ask',
        },
      }),
    ),
    ...(added.length === 0 && asking.failed.length === 0
      ? []
      : [
          event('request.asked', now, by, {
            ...about,
            detail: {
              stage,
              asked: added.map((audience) => audience.person),
              ...(asking.failed.length === 0 ? {} : { failed: asking.failed }),
            },
          }),
        ]),
    ...reminded,
    ...(reminded.length === 0
      ? []
      : [
          event('request.reminded', now, by, {
            ...about,
            detail: { stage, number: asking.reminders, asked: before.now.map(({ person }) => person) },
          }),
        ]),
    ...(added.length === 0 && sameAsked(before, asking) ? [] : showEverywhere(row, now)),
    ...(next === undefined ? [] : [timer({ ring: 'ask', requestId: request.id }, next)]),
  ];
}

/** Up to so many are reminded one by one; more of them by one message in the channel that names them. */
const REMINDED_SINGLY = 5;

/** One job for each message that it stands under: a reminder that could not be said yet is overtaken by the next. */
function reminders(request: AccessRequest, number: number, now: Instant): Change[] {
  const asked = new Set(request.asking?.now.map(({ person }) => person));
  const approvers = request.audiences.filter(
    (audience): audience is Approver => audience.kind === 'approver' && asked.has(audience.person),
  );
  const channels = request.audiences.filter((audience) => audience.kind === 'channel');
  const singly = (approvers.length > 0 && approvers.length <= REMINDED_SINGLY) || channels.length === 0;
  const mention = approvers.map(({ account }) => account);
  return (singly ? approvers : channels).map((audience) => ({
    put: 'job' as const,
    row: {
      kind: 'notification' as const,
      id: `remind:${messageId(request.id, audience)}`,
      lane: 'chat',
      priority: PRIORITY.usual,
      dueAt: now,
      payload: {
        tell: 'reminder' as const,
        requestId: request.id,
        audience,
        number,
        mention:
          audience.kind === 'approver' ? [] : mention.filter((account) => account.platform === platformOf(audience)),
      },
    },
  }));
}

type Approver = Extract<Audience, { kind: 'approver' }>;

/** Messages of their own for those who have none yet. */
export function newAudiences(known: readonly Audience[], people: readonly Person[]): readonly Approver[] {
  const before = known.filter((audience) => audience.kind === 'approver');
  const asked = new Set(before.map((audience) => audience.person));
  const room = Math.max(0, ASKED_MOST - before.length);
  const added: Approver[] = [];
  for (const { id, account, accounts } of people) {
    if (asked.has(id)) continue;
    asked.add(id);
    const places = accounts ?? (account === undefined ? [] : [account]);
    added.push(...places.map((one) => ({ kind: 'approver' as const, person: id, account: one })));
  }
  return added.slice(0, room);
}

function sameAsked(before: Asking, after: Asking): boolean {
  const names = (asking: Asking) => asking.now.map(({ person }) => person).sort();
  const same = (some: readonly string[], others: readonly string[]) =>
    some.length === others.length && some.every((one, index) => one === others[index]);
  return before.steps === after.steps && same(names(before), names(after)) && same(before.failed, after.failed);
}
