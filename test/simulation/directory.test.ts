/**
 * The fake directory of the simulation is held to the contract of the real ones. Not a vendor's protocol: what is left
 * of a fault is when the directory acts, when it answers, and with what.
 */

import { type ContractFault, type DirectoryHarness, directoryContract } from '../contracts/directory.ts';
import type { CallFailure, Course, DirectoryCall } from '../support/fakes.ts';
import { createFakeDirectory } from '../support/fakes.ts';

const DEADLINE_MS = 2_000;
const AT_ONCE: Course = { actsAfterMs: 0, answersAfterMs: 0 };

function refusal(failure: CallFailure): Course {
  return { answersAfterMs: 0, failure };
}

function statusFailure(status: number, write: boolean): CallFailure {
  if (status === 429) return { code: 'rate_limited', effect: 'none', retryAfterMs: 1_000 };
  if (status === 401) return { code: 'unauthorized', effect: 'none' };
  if (status === 404) return { code: 'not_found', effect: 'none' };
  if (status >= 500) return { code: 'unavailable', effect: write ? 'unknown' : 'none' };
  return { code: 'rejected', effect: 'none' };
}

function courseOf(fault: ContractFault, write: boolean): Course {
  const lost: CallFailure = { code: 'unavailable', effect: write ? 'unknown' : 'none' };
  switch (fault.kind) {
    case 'down':
      return { ...refusal({ code: 'unavailable', effect: 'none' }), kept: true };
    case 'status':
      return refusal(statusFailure(fault.status ?? 500, write));
    case 'hang':
      return {};
    case 'hang-after':
    case 'drip':
      return { actsAfterMs: 0 };
    case 'reset-before':
      return refusal(lost);
    case 'reset-after':
    case 'malformed':
      return { actsAfterMs: 0, answersAfterMs: 0, failure: lost };
  }
}

const harness: DirectoryHarness = {
  userId: (n) => `u${n}`,
  groupId: (n) => `g${n}`,
  groupName: (word) => word,
  removalReads: 0,
  unmanageable: ['rule-fed', 'app-mastered', 'built-in'],
  rateForms: { '429': ['with milliseconds to wait'] },
  without: { 'native expiry': 'the simulation knows none' },
  memberCounts: [0, 1, 7, 60],
  async start({ users, groups }, options = {}) {
    let faults: { fault: ContractFault; left: number }[] = [];
    let always: ((call: DirectoryCall) => Course | undefined)[] = [];
    let lagging = 0;
    let spent = 0;
    const budget = options.budget ?? Number.POSITIVE_INFINITY;
    const write = ({ what }: DirectoryCall) => what === 'add' || what === 'remove';

    const fake = createFakeDirectory({
      name: 'fake',
      lagMs: 1_000,
      callDeadlineMs: options.callDeadlineMs ?? DEADLINE_MS,
      now: () => performance.now(),
      after: (ms, act) => void setTimeout(act, ms),
      tellsAlready: true,
      course(call) {
        // What is kept back of the budget is for removals.
        if (call.what !== 'remove' && ++spent > budget * 0.7)
          return { ...refusal({ code: 'rate_limited', effect: 'none', retryAfterMs: 1_000 }), kept: true };
        for (const rule of always) {
          const course = rule(call);
          if (course !== undefined) return course;
        }
        const hit = faults.find(
          ({ fault, left }) => left > 0 && (fault.on === 'all' || (fault.on === 'writes') === write(call)),
        );
        if (hit !== undefined) {
          hit.left--;
          return courseOf(hit.fault, write(call));
        }
        if ((call.what !== 'read' && call.what !== 'list') || lagging <= 0) return AT_ONCE;
        lagging--;
        return { ...AT_ONCE, staleMs: Number.POSITIVE_INFINITY };
      },
    });
    for (const group of groups) {
      fake.addGroup({
        id: group.id,
        name: group.name,
        ...(group.kind === undefined ? {} : { unmanageable: `it is ${group.kind}` }),
      });
    }
    for (const user of users) fake.addUser(user);
    for (const group of groups) for (const id of group.members ?? []) fake.outside(group.id, id, true);

    const refuse = (failure: CallFailure, which: (call: DirectoryCall) => boolean = () => true) =>
      always.push((call) => (which(call) ? refusal(failure) : undefined));
    return {
      directory: fake.port('contract'),
      secrets: [],
      holds: (groupId, userId) => fake.spell(groupId, userId) !== undefined,
      fault: (fault) => void faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY }),
      clear() {
        faults = [];
        always = [];
      },
      lagReads(count) {
        lagging = count;
      },
      // Another clock's reset is bounded by the adapter that reads it; here is none to read.
      rateLimit: (resetInMs) => void refuse({ code: 'rate_limited', effect: 'none', retryAfterMs: resetInMs }),
      limit: () => void refuse({ code: 'rate_limited', effect: 'none', retryAfterMs: 7_000 }),
      deleteGroup: fake.deleteGroup,
      deleteUser: fake.deleteUser,
      revokeCredential: () => void refuse({ code: 'unauthorized', effect: 'none' }),
      forbidWrites: () => void refuse({ code: 'rejected', effect: 'none' }, write),
      writes: () => fake.writes,
      reads: () => fake.reads,
      async stop() {
        refuse({ code: 'unavailable', effect: 'none' });
      },
    };
  },
};

directoryContract('the fake directory', harness);
