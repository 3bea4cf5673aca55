/** Who answers when: stages, the ladder, and who is asked while a request waits. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ApproveFacts, decideApprove, decideDeny } from '../../src/access/decide-answer.ts';
import { ASKED_MOST, newAudiences, ringAsk } from '../../src/access/decide-ask.ts';
import { decideRequest } from '../../src/access/decide-request.ts';
import { whoIsAsked } from '../../src/access/gather.ts';
import type { AccessRequest, Approval, Change, Person, Stage, Subject } from '../../src/access/model.ts';
import { type People, PeopleError } from '../../src/access/ports.ts';
import { answerersOf, deniersOf, givenIn, nextAskAt, stageNow, startStage } from '../../src/access/stages.ts';
import { viewOf } from '../../src/access/view.ts';
import {
  ana,
  answerFacts,
  approval,
  approveFacts,
  ben,
  cardOf,
  cat,
  dan,
  entitlement,
  group,
  HOUR,
  MINUTE,
  no,
  onCall,
  person,
  policy,
  request,
  requestFacts,
  requestRecord,
  T0,
  yes,
} from '../support/builders.ts';
import { changesOf, dropped, eventKinds, faultsOf, jobs, put, refusalOf } from '../support/given.ts';

const security = group('security');
const leads = group('dba-leads');
const ladder = [
  { afterMs: 10 * MINUTE, to: [leads] },
  { afterMs: 20 * MINUTE, to: [security] },
];
const stages: readonly Stage[] = [
  { approvers: [onCall('dba')], approvals: 1, escalate: [] },
  { approvers: [security], approvals: 2, escalate: [] },
];
const staged = policy({ approvers: [onCall('dba'), security], approvals: 3, stages });
const laddered = policy({ approvers: [onCall('dba')], escalate: ladder });
const guarded = (of = staged) => entitlement({ policy: of });
const waiting = (more: Partial<AccessRequest> = {}) =>
  request({ approvalsNeeded: 3, asking: startStage(stages, 0, T0), ...more });
const second = () => waiting({ asking: startStage(stages, 1, T0 + MINUTE) });
const inStage = (of: AccessRequest, by: Person, stage: number) => approval(of, by, stage === 0 ? {} : { stage });
const approve = (more: Partial<ApproveFacts>, now = T0 + MINUTE) =>
  decideApprove(approveFacts({ entitlement: guarded(), ...more }), now);

/** People as the sources tell them; a source that is not named does not answer. */
function peopleOf(known: Readonly<Record<string, readonly Person[]>>): People {
  const membersOf = async (subject: Subject) => {
    const name = subject.kind === 'on-call' ? subject.source : subject.kind === 'group' ? subject.group : subject.kind;
    const found = known[name];
    if (found === undefined) throw new PeopleError('unavailable', `${name} does not answer`);
    return found;
  };
  return { membersOf } as Partial<People> as People;
}

describe('stages', () => {
  test('are asked one after the other: the second is looked up when the first is complete', () => {
    const of = waiting();
    const changes = changesOf(approve({ record: requestRecord(of) }));
    expect(faultsOf(changes)).toEqual([]);
    expect(put(changes, 'grant')).toEqual([]);
    expect(put(changes, 'request')[0]?.asking).toMatchObject({ stage: 1, sinceAt: T0 + MINUTE, now: [] });
    expect(jobs(changes).get('ask:R-7KQ2')).toMatchObject({ lane: 'ask', dueAt: T0 + MINUTE });
  });

  test('grant only when the last of them is complete', () => {
    const of = second();
    const first = inStage(of, ben, 0);
    const subjects = [yes(security)];
    expect(approve({ record: requestRecord(of, [first]), person: cat, subjects })).toMatchObject({
      done: 'approval_recorded',
    });
    const record = requestRecord(of, [first, inStage(of, cat, 1)]);
    expect(approve({ record, person: dan, subjects })).toMatchObject({ done: 'approved' });
  });

  test('do not take an approval before their turn, and say whom they wait for', () => {
    const record = requestRecord(waiting());
    const outcome = approve({ record, person: dan, subjects: [no(onCall('dba'))], later: [yes(security)] });
    expect(refusalOf(outcome)).toEqual({ code: 'not_your_turn', requestId: 'R-7KQ2', first: ['on-call dba'] });
    expect(outcome).not.toHaveProperty('record');
  });

  test('count a person once: whoever approved in one does not count in another', () => {
    const of = second();
    const record = requestRecord(of, [inStage(of, ben, 0)]);
    expect(refusalOf(approve({ record, person: ben, subjects: [yes(security)] }))).toMatchObject({
      code: 'already_answered',
    });
    expect(refusalOf(approve({ record, person: ben, subjects: [no(security)] }))).toMatchObject({
      code: 'already_answered',
    });
  });

  test('do not take an approval of a stage that is over', () => {
    const of = second();
    const record = requestRecord(of, [inStage(of, ben, 0)]);
    expect(answerersOf(staged, record)).toEqual([security]);
    expect(refusalOf(approve({ record, person: cat, subjects: [no(security)] }))).toMatchObject({
      code: 'not_an_approver',
      wanted: ['group:okta/security'],
    });
  });

  test('can be stopped by anyone who could answer in one of them, at any time', () => {
    const record = requestRecord(waiting());
    expect(deniersOf(staged, record)).toEqual([onCall('dba'), security]);
    const facts = answerFacts({
      record,
      person: dan,
      entitlement: guarded(),
      subjects: [no(onCall('dba')), yes(security)],
    });
    expect(decideDeny({}, facts, T0 + MINUTE)).toMatchObject({ done: 'denied' });
  });

  test('begin anew when the policy has changed', () => {
    const of = second();
    const record = requestRecord(of, [inStage(of, ben, 0)]);
    const changed = guarded({ ...staged, hash: 'policy-2' });
    const outcome = approve({ record, person: cat, entitlement: changed, subjects: [yes(security)] });
    expect(refusalOf(outcome)).toMatchObject({ code: 'changed_since_shown' });
    const { changes = [] } = 'refusal' in outcome ? outcome : {};
    expect(put(changes, 'request')[0]?.asking).toMatchObject({ stage: 0, steps: 0 });
  });

  test('are shown with who has given what, whom it waits for, and who comes after', () => {
    const shown = viewOf({ record: requestRecord(waiting()) }, T0, 'UTC');
    expect(shown.headline).toBe('Waiting for approval by on-call dba (stage 1 of 2). Then security. Lapses 10:00 UTC.');
    const of = second();
    const later = viewOf({ record: requestRecord(of, [inStage(of, ben, 0), inStage(of, cat, 1)]) }, T0, 'UTC');
    expect(later.headline).toBe(
      'Waiting for approval by security (stage 2 of 2, 1 of 2 approvals so far). Lapses 10:00 UTC.',
    );
    expect(later.stages).toEqual([
      { by: ['on-call dba'], needed: 1, given: ['Ben'] },
      { by: ['security'], needed: 2, given: ['Cat'] },
    ]);
  });

  test('whatever is answered in whatever order, every stage of a grant is filled by people of its own, none of them the requester', () => {
    const many = [ana, ben, cat, dan, person('eve'), person('fay')];
    const stageArb = fc.record({
      members: fc.subarray(many, { minLength: 1 }),
      approvals: fc.integer({ min: 1, max: 3 }),
    });
    const clickArb = fc.record({ who: fc.integer({ min: 0, max: 5 }), linked: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(stageArb, { minLength: 1, maxLength: 3 }),
        fc.array(clickArb, { maxLength: 30 }),
        (drawn, clicks) => {
          const shape = drawn.map(
            ({ approvals }, index): Stage => ({ approvers: [group(`stage-${index}`)], approvals, escalate: [] }),
          );
          const of = policy({
            approvers: shape.flatMap((stage) => stage.approvers),
            approvals: shape.reduce((sum, stage) => sum + stage.approvals, 0),
            stages: shape,
          });
          const holds = (who: Person, subject: Subject) =>
            drawn.some(
              ({ members }, index) =>
                subject.kind === 'group' &&
                subject.group === `stage-${index}` &&
                members.some(({ id }) => id === who.id),
            );
          let row = request({ approvalsNeeded: of.approvals, asking: startStage(shape, 0, T0) });
          const given: Approval[] = [];
          for (const { who, linked } of clicks) {
            const by = many[who] ?? ana;
            const clicking = linked ? { ...by, account: { platform: 'teams', tenant: 'T9', id: by.id } as const } : by;
            const record = requestRecord(row, given);
            const subjects = answerersOf(of, record).map((subject) =>
              holds(by, subject) ? yes(subject) : no(subject),
            );
            const outcome = decideApprove(
              approveFacts({ record, person: clicking, card: cardOf(row), entitlement: guarded(of), subjects }),
              T0 + MINUTE,
            );
            if ('refusal' in outcome) continue;
            given.push(...put(outcome.changes, 'approval'));
            row = put(outcome.changes, 'request')[0] ?? row;
            if (outcome.done !== 'approved') continue;
            expect(new Set(given.map((one) => one.approver)).size).toBe(given.length);
            expect(given.map((one) => one.approver)).not.toContain(ana.id);
            for (const [index, { members, approvals }] of drawn.entries()) {
              const mine = given.filter((one) => (one.stage ?? 0) === index);
              expect(givenIn(index, given)).toBe(approvals);
              for (const one of mine) expect(members.map(({ id }) => id)).toContain(one.approver);
            }
            return;
          }
          expect(stageNow(shape, given)).toBeLessThan(shape.length);
        },
      ),
    );
  });
});

test('what an approver shortened is shown, and only shorter times are offered to the next', () => {
  const of = request({ durationMs: 2 * HOUR, approvalsNeeded: 2 });
  const record = requestRecord(of, [approval(of, ben, { durationMs: HOUR })]);
  const shown = viewOf({ record }, T0, 'UTC');
  expect(shown).toMatchObject({ durationMs: 2 * HOUR, approvedMs: HOUR, approvals: [{ durationMs: HOUR }] });
  expect(shown.shorter).toEqual([30 * MINUTE, 15 * MINUTE, 10 * MINUTE, 5 * MINUTE]);
  expect(viewOf({ record: requestRecord(request({ durationMs: 5 * MINUTE })) }, T0, 'UTC').shorter).toEqual([]);
});

describe('the ladder', () => {
  const asked = () => waiting({ approvalsNeeded: 1, asking: startStage(stagesOf(), 0, T0) });
  const stagesOf = (): readonly Stage[] => [{ approvers: [onCall('dba')], approvals: 1, escalate: ladder }];
  const ring = (of: AccessRequest, people: readonly Person[], steps: number, now: number, failed: string[] = []) =>
    ringAsk(
      requestRecord(of),
      { entitlement: guarded(laddered), asked: { people, complete: false, steps, failed } },
      now,
    );
  const rung = (outcome: ReturnType<typeof ring>) => ('dueAt' in outcome ? [] : outcome);

  test('asks nobody more before its time, and looks again for a handover', () => {
    const of = asked();
    const known = { ...of, asking: { ...startStage(stagesOf(), 0, T0), now: [{ person: ben.id, name: 'Ben' }] } };
    const quiet = { ...known, audiences: newAudiences([], [ben]) };
    expect(ring(quiet, [ben], 0, T0 + MINUTE)).toEqual({ dueAt: T0 + 3 * MINUTE });
  });

  test('asks the next people at its time, who may answer from then on', () => {
    const of = { ...asked(), audiences: newAudiences([], [ben]) };
    expect(answerersOf(laddered, requestRecord(of))).toEqual([onCall('dba')]);
    const changes = rung(ring(of, [ben, cat], 1, T0 + 10 * MINUTE));
    expect(eventKinds(changes)).toEqual(['request.escalated', 'request.asked']);
    expect(put(changes, 'event')[0]?.detail).toMatchObject({
      step: 1,
      to: ['group:okta/dba-leads'],
      why: 'nobody_answered',
    });
    const row = put(changes, 'request')[0];
    expect(row?.audiences).toContainEqual({ kind: 'approver', person: cat.id, account: cat.account });
    expect(answerersOf(laddered, requestRecord(row ?? of))).toEqual([onCall('dba'), leads]);
    expect([...jobs(changes).keys()]).toContain('ask:R-7KQ2');
  });

  test('takes its next step at once when nobody is there to be asked, or nobody can tell who', async () => {
    const [stage] = stagesOf();
    const ask = (known: Record<string, Person[]>, except: string[] = []) =>
      whoIsAsked(peopleOf(known), stage as Stage, 0, new Set([ana.id, ...except]));
    expect(await ask({ dba: [ben], 'dba-leads': [cat] })).toMatchObject({ steps: 0, people: [ben], failed: [] });
    expect(await ask({ dba: [], 'dba-leads': [cat] })).toMatchObject({ steps: 1, people: [cat] });
    expect(await ask({ dba: [ana], 'dba-leads': [cat] })).toMatchObject({ steps: 1, people: [cat] });
    expect(await ask({ 'dba-leads': [cat] })).toMatchObject({ steps: 1, people: [cat], failed: ['on-call:dba'] });
    expect(await ask({ dba: [ben], 'dba-leads': [], security: [dan] }, [ben.id])).toMatchObject({
      steps: 2,
      people: [dan],
    });
    const changes = rung(ring(asked(), [cat], 1, T0 + MINUTE, ['on-call:dba']));
    expect(put(changes, 'event')[0]?.detail).toMatchObject({ why: 'nobody_to_ask' });
    expect(put(changes, 'event')[1]?.detail).toMatchObject({ failed: ['on-call:dba'] });
  });

  test('is begun when the request is made, if nobody of the first can be asked, and the requester reads where it goes', () => {
    const facts = requestFacts({
      entitlement: guarded(laddered),
      approvers: { people: [cat], complete: false, steps: 1, failed: ['on-call:dba'] },
    });
    const row = put(changesOf(decideRequest({ reason: 'fix stuck migration' }, facts, T0)), 'request')[0];
    expect(row?.asking).toMatchObject({ steps: 1, now: [{ name: 'Cat' }] });
    const shown = viewOf({ record: requestRecord(row ?? request()) }, T0, 'UTC');
    expect(shown.headline).toBe(
      'Waiting for approval. Could not look up on-call:dba. Goes to security 09:20 UTC if nobody answers. Lapses 10:00 UTC.',
    );
    expect(shown.waiting?.asked).toEqual(['Cat']);
  });

  test('a failed look-up approves nothing: whoever answers is judged at the click', () => {
    const of = { ...asked(), asking: { ...startStage(stagesOf(), 0, T0), steps: 1 } };
    const outcome = approve({
      record: requestRecord(of),
      entitlement: guarded(laddered),
      person: cat,
      subjects: [{ subject: onCall('dba'), error: 'no answer' }, no(leads)],
    });
    expect(refusalOf(outcome)).toMatchObject({ code: 'cannot_check' });
  });

  test('is over with the request, and asks nobody under a policy that has changed', () => {
    expect(ringAsk(requestRecord(request({ state: 'approved' })), {}, T0)).toEqual([]);
    expect(ringAsk(requestRecord(asked()), {}, T0 + HOUR)).toEqual([]);
    expect(ringAsk(undefined, {}, T0)).toEqual([]);
    const changed = {
      entitlement: guarded({ ...laddered, hash: 'policy-2' }),
      asked: { people: [cat], complete: true },
    };
    expect(ringAsk(requestRecord(asked()), changed, T0 + MINUTE)).toMatchObject({ dueAt: expect.any(Number) });
    expect(dropped(changesOf(approve({ record: requestRecord(asked()), entitlement: guarded(laddered) })))).toContain(
      'ask:R-7KQ2',
    );
  });
});

describe('a reminder', () => {
  const every = policy({ remindEveryMs: 10 * MINUTE });
  const one: readonly Stage[] = [{ approvers: [onCall('dba'), leads], approvals: 1, escalate: [] }];
  const waitingFor = (people: readonly Person[], more: Partial<AccessRequest['asking']> = {}) =>
    request({
      asking: { ...startStage(one, 0, T0), now: people.map(({ id, name }) => ({ person: id, name })), ...more },
      audiences: [{ kind: 'channel', conversation: 'C1' }, ...newAudiences([], people)],
    });
  const ring = (of: AccessRequest, people: readonly Person[], now: number) => {
    const facts = { entitlement: guarded(every), asked: { people, complete: true, steps: 0, failed: [] } };
    const outcome = ringAsk(requestRecord(of), facts, now);
    return 'dueAt' in outcome ? [] : outcome;
  };
  const reminded = (changes: readonly Change[]) =>
    [...jobs(changes).values()].filter((job) => job.kind === 'notification' && job.payload.tell === 'reminder');

  test('comes at its time and not before, once however late it rings, to each of the few who can answer', () => {
    expect(reminded(ring(waitingFor([ben, cat]), [ben, cat], T0 + 9 * MINUTE))).toEqual([]);
    const changes = ring(waitingFor([ben, cat]), [ben, cat], T0 + 35 * MINUTE);
    expect(reminded(changes)).toMatchObject([
      { payload: { audience: { person: ben.id }, number: 1 } },
      { payload: { audience: { person: cat.id } } },
    ]);
    expect(eventKinds(changes)).toEqual(['request.reminded']);
    const asking = put(changes, 'request')[0]?.asking;
    expect(asking).toMatchObject({ reminders: 1, remindedAt: T0 + 35 * MINUTE });
    // The request's own messages have not changed.
    expect([...jobs(changes).keys()].filter((id) => id.startsWith('msg:'))).toEqual([]);
  });

  test('to many is one message in the channel that names them', () => {
    const crowd = Array.from({ length: 8 }, (_, index) => person(`p${index}`));
    const [only, ...others] = reminded(ring(waitingFor(crowd), crowd, T0 + 10 * MINUTE));
    expect(others).toEqual([]);
    expect(only).toMatchObject({ payload: { audience: { kind: 'channel' } } });
    expect(only?.kind === 'notification' && only.payload.tell === 'reminder' && only.payload.mention).toHaveLength(8);
  });

  test('is not for whoever has just been asked, and comes twelve times at most', () => {
    expect(reminded(ring(waitingFor([ben]), [ben, cat], T0 + 10 * MINUTE))).toMatchObject([
      { payload: { audience: { person: ben.id } } },
    ]);
    const often = waitingFor([ben], { reminders: 12, remindedAt: T0 });
    expect(reminded(ring(often, [ben], T0 + 30 * MINUTE))).toEqual([]);
  });
});

describe('a handover', () => {
  test('asks whoever has come on call, and names them in the channel in place of whoever was', () => {
    const of = {
      ...waiting({ approvalsNeeded: 1 }),
      asking: {
        ...startStage([{ approvers: [onCall('dba')], approvals: 1, escalate: [] }], 0, T0),
        now: [{ person: ben.id, name: 'Ben' }],
      },
      audiences: newAudiences([], [ben]),
    };
    const outcome = ringAsk(
      requestRecord(of),
      { entitlement: entitlement(), asked: { people: [cat], complete: true, steps: 0, failed: [] } },
      T0 + MINUTE,
    );
    const changes = 'dueAt' in outcome ? [] : outcome;
    expect(put(changes, 'request')[0]?.asking?.now).toEqual([{ person: cat.id, name: 'Cat' }]);
    expect([...jobs(changes).keys()]).toContain('msg:R-7KQ2:approver:slack:T1:U-cat');
    expect(eventKinds(changes)).toEqual(['request.asked']);
  });

  test('is looked for only while somebody on call is asked, and no oftener than every two minutes', () => {
    const of = { lapsesAt: T0 + HOUR };
    const called = startStage([{ approvers: [onCall('dba')], approvals: 1, escalate: [] }], 0, T0);
    expect(nextAskAt(of, called, undefined, T0)).toBe(T0 + 2 * MINUTE);
    expect(
      nextAskAt(of, startStage([{ approvers: [leads], approvals: 1, escalate: [] }], 0, T0), undefined, T0),
    ).toBeUndefined();
    expect(nextAskAt({ lapsesAt: T0 + MINUTE }, called, undefined, T0)).toBeUndefined();
  });

  test('never has more people written to than anybody would answer', () => {
    const crowd = Array.from({ length: 200 }, (_, index) => person(`p${index}`));
    expect(newAudiences([], crowd)).toHaveLength(ASKED_MOST);
    expect(newAudiences(newAudiences([], crowd), [person('late')])).toEqual([]);
  });
});
