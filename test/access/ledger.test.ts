import { describe, expect, test } from 'vitest';
import {
  answerLost,
  type Lesson,
  learn,
  markAddition,
  markRemoval,
  nextStep,
  readyForGrant,
  recordLostAnswer,
  removedOutside,
  UNKNOWN_MARGIN_MS,
  type Wish,
} from '../../src/access/ledger.ts';
import type { Membership } from '../../src/access/model.ts';
import { baseline, HOUR, membership, ourMembership, SECOND, T0 } from '../support/builders.ts';

const LAG = 5 * SECOND;
const DEADLINE = 10 * SECOND;
const WANTED: Wish = { wanted: true, mayAdd: true };
const RUNNING: Wish = { wanted: true, mayAdd: false };
const UNWANTED: Wish = { wanted: false, mayAdd: false };

const next = (row: Membership, wish: Wish, now: number) => nextStep(row, wish, now, LAG);
const see = (row: Membership, member: boolean, wish: Wish, at: number) =>
  learn(row, { learnt: member ? 'seen_present' : 'seen_absent', readAt: at }, wish, at, LAG);
const told = (row: Membership, learnt: 'added' | 'already_member' | 'removed', wish: Wish, at: number) =>
  learn(row, { learnt }, wish, at, LAG);
const fails = (
  row: Membership,
  call: 'read' | 'add' | 'remove',
  effect: 'none' | 'unknown',
  more: Partial<Lesson> = {},
) =>
  learn(
    row,
    { learnt: 'failed', call, effect, code: 'unavailable', error: 'no answer', ...more } as Lesson,
    WANTED,
    T0,
    LAG,
  );
const add = (row: Membership, at: number) => markAddition(row, at, DEADLINE);
const remove = (row: Membership, at: number) => markRemoval(row, at, DEADLINE);

describe('an addition', () => {
  test('is sent only after a fresh read has shown that nobody is there', () => {
    expect(next(membership(), WANTED, T0)).toEqual({ do: 'read' });
    const looked = see(membership(), false, WANTED, T0);
    expect(next(looked, WANTED, T0 + SECOND)).toEqual({ do: 'add' });
    expect(next(looked, WANTED, T0 + 31 * SECOND)).toEqual({ do: 'read' });
    expect(next(looked, WANTED, T0 - 1)).toEqual({ do: 'read' });
  });

  test('is not held up for ever by a directory that takes longer to read than a few seconds', () => {
    expect(next(see(membership(), false, WANTED, T0), WANTED, T0 + 9 * SECOND)).toEqual({ do: 'add' });
  });

  test('makes the membership ours before it is sent', () => {
    const marked = add(see(membership(), false, WANTED, T0), T0);
    expect(marked).toMatchObject({ origin: 'ours', addAttempts: 1, addStartedAt: T0, addDeadlineAt: T0 + DEADLINE });
    expect(answerLost(marked)).toBe(true);
    expect(marked).not.toHaveProperty('seen');
  });

  test('is read back once it is accepted, and then left alone', () => {
    const added = told(add(membership(), T0), 'added', WANTED, T0 + 1);
    expect(next(added, WANTED, T0 + 2)).toEqual({ do: 'read' });
    expect(next(see(added, true, WANTED, T0 + 2), RUNNING, T0 + 3)).toEqual({ do: 'nothing' });
  });

  test('that was definitely refused leaves nothing of ours and is not sent again for this grant', () => {
    const refused = fails(add(membership(), T0), 'add', 'none', { code: 'rejected' } as Partial<Lesson>);
    expect(refused).toMatchObject({ origin: 'none', addOutcome: 'refused', failures: 1 });
    expect(next(refused, WANTED, T0 + 1)).toEqual({ do: 'nothing' });
    expect(next(readyForGrant(refused), WANTED, T0 + 1)).toEqual({ do: 'read' });
  });

  test('is not sent once the time to add is over', () => {
    expect(next(see(membership(), false, WANTED, T0), RUNNING, T0 + 1)).toEqual({ do: 'nothing' });
  });
});

describe('a membership that was there before', () => {
  test('is found by the read before the addition and never removed', () => {
    const found = see(membership(), true, WANTED, T0);
    expect(found.origin).toBe('baseline');
    expect(next(found, UNWANTED, T0 + HOUR)).toEqual({ do: 'nothing' });
  });

  test('is found by a first addition that changes nothing', () => {
    expect(told(add(membership(), T0), 'already_member', WANTED, T0 + 1).origin).toBe('baseline');
  });

  test('is looked at again for every new grant, whatever the clock did in between', () => {
    const old = baseline({ seenAt: T0 + 10 * HOUR });
    expect(next(old, WANTED, T0)).toEqual({ do: 'nothing' });
    const again = readyForGrant(old);
    expect(next(again, WANTED, T0)).toEqual({ do: 'read' });
    expect(next(see(again, true, WANTED, T0 - HOUR), WANTED, T0)).toEqual({ do: 'nothing' });
  });

  test('that somebody has taken away meanwhile is added by a new grant', () => {
    const gone = see(readyForGrant(baseline()), false, WANTED, T0);
    expect(gone.origin).toBe('none');
    expect(next(gone, WANTED, T0 + 1)).toEqual({ do: 'add' });
  });
});

describe('an addition whose answer was lost', () => {
  test('never turns into a membership that was there before us', () => {
    const crashed = recordLostAnswer(add(membership(), T0));
    expect(see(crashed, true, WANTED, T0 + HOUR)).toMatchObject({ origin: 'ours', addOutcome: 'accepted' });
    const again = add(crashed, T0 + 20 * SECOND);
    expect(told(again, 'already_member', WANTED, T0 + 21 * SECOND)).toMatchObject({
      origin: 'ours',
      addOutcome: 'accepted',
    });
    expect(fails(again, 'add', 'none', { code: 'rejected' } as Partial<Lesson>).origin).toBe('ours');
  });

  test('is sent again while there is time, and only looked for afterwards', () => {
    const lost = fails(add(membership(), T0), 'add', 'unknown');
    expect(next(lost, WANTED, T0 + 1)).toEqual({ do: 'add' });
    expect(next(lost, RUNNING, T0 + 1)).toEqual({ do: 'read' });
    expect(next(see(lost, false, RUNNING, T0 + 1), RUNNING, T0 + 2)).toEqual({ do: 'nothing' });
  });

  test('is proven absent only by a read past its deadline and the lag of reads', () => {
    const lost = fails(add(membership(), T0), 'add', 'unknown');
    const removed = told(remove(lost, T0 + 2), 'removed', UNWANTED, T0 + 3);
    const early = see(removed, false, UNWANTED, T0 + DEADLINE + UNKNOWN_MARGIN_MS + LAG);
    expect(early.origin).toBe('ours');
    expect(next(early, UNWANTED, T0 + 4).do).toBe('wait');
    expect(next(early, UNWANTED, T0 + DEADLINE + UNKNOWN_MARGIN_MS + LAG + 1)).toEqual({ do: 'read' });
    expect(see(early, false, UNWANTED, T0 + DEADLINE + UNKNOWN_MARGIN_MS + LAG + 1).origin).toBe('none');
  });
});

describe('a removal', () => {
  test('is sent at once for what is ours and proven by a read', () => {
    expect(next(ourMembership(), UNWANTED, T0)).toEqual({ do: 'remove' });
    const removed = told(remove(ourMembership(), T0), 'removed', UNWANTED, T0 + 1);
    expect(next(removed, UNWANTED, T0 + 1)).toEqual({ do: 'read' });
    const gone = see(removed, false, UNWANTED, T0 + 2);
    expect(gone).toMatchObject({ origin: 'none', provenAbsentAt: T0 + 2 });
    expect(next(gone, UNWANTED, T0 + 3)).toEqual({ do: 'nothing' });
  });

  test('is not proven by an absent read while no removal was accepted', () => {
    expect(see(ourMembership(), false, UNWANTED, T0 + 1).origin).toBe('ours');
    const lost = fails(remove(ourMembership(), T0), 'remove', 'unknown');
    expect(see(lost, false, UNWANTED, T0 + 1).origin).toBe('ours');
  });

  test('whose answer was lost, by a crash or on the way, is sent again', () => {
    expect(next(remove(ourMembership(), T0), UNWANTED, T0 + 1)).toEqual({ do: 'remove' });
    expect(next(fails(remove(ourMembership(), T0), 'remove', 'unknown'), UNWANTED, T0 + 1)).toEqual({ do: 'remove' });
  });

  test('that a read still denies within the lag is waited for, and sent again after it', () => {
    const removed = told(remove(ourMembership(), T0), 'removed', UNWANTED, T0);
    const still = see(removed, true, UNWANTED, T0 + SECOND);
    expect(still.failures).toBe(0);
    expect(next(still, UNWANTED, T0 + SECOND)).toEqual({ do: 'wait', until: T0 + LAG + 1 });
    expect(next(still, UNWANTED, T0 + LAG + 1)).toEqual({ do: 'read' });
    const undone = see(still, true, UNWANTED, T0 + LAG + 1);
    expect(next(undone, UNWANTED, T0 + LAG + 2)).toEqual({ do: 'remove' });
    expect(undone).toMatchObject({ failures: 1, lastError: 'still a member after an accepted removal' });
  });

  test('counts its own failures, not those of the additions before it', () => {
    const tried = ourMembership({ failures: 7, addOutcome: 'unknown', lastError: 'no answer' });
    const marked = remove(tried, T0);
    expect(marked.failures).toBe(0);
    expect(remove(fails(marked, 'remove', 'unknown'), T0 + 1).failures).toBe(1);
  });

  test('shortly before a new grant does not make a lagging read of it a permanent membership', () => {
    const gone = see(told(remove(ourMembership(), T0), 'removed', UNWANTED, T0), false, UNWANTED, T0 + 1);
    const lagging = learn(gone, { learnt: 'seen_present', readAt: T0 + LAG }, WANTED, T0 + LAG + 900, LAG);
    expect(lagging.origin).toBe('none');
    expect(next(lagging, WANTED, T0 + LAG + 900)).toEqual({ do: 'add' });
    const added = told(add(gone, T0 + 2), 'already_member', WANTED, T0 + LAG + SECOND);
    expect(added).toMatchObject({ origin: 'ours', addOutcome: 'accepted' });
  });
});

describe('a removal whose lost answer lands after a new grant was added', () => {
  const regranted = () => {
    const lost = fails(remove(ourMembership(), T0), 'remove', 'unknown');
    return told(add(lost, T0 + SECOND), 'added', WANTED, T0 + SECOND);
  };
  const settled = T0 + DEADLINE + UNKNOWN_MARGIN_MS + LAG;

  test('is looked for once it can no longer land', () => {
    const seen = see(regranted(), true, WANTED, T0 + 2 * SECOND);
    expect(next(seen, RUNNING, T0 + 2 * SECOND)).toEqual({ do: 'wait', until: settled + 1 });
    expect(next(seen, RUNNING, settled + 1)).toEqual({ do: 'read' });
    expect(next(see(seen, true, RUNNING, settled + 1), RUNNING, settled + 2)).toEqual({ do: 'nothing' });
  });

  test('is repaired by adding again, even after the time to add, and is nobody else’s doing', () => {
    const gone = see(see(regranted(), true, WANTED, T0 + 2 * SECOND), false, RUNNING, settled + 1);
    expect(removedOutside(gone, LAG)).toBe(false);
    expect(next(gone, RUNNING, settled + 2)).toEqual({ do: 'add' });
  });

  test('is still looked for when a lagging read shows the membership missing at first', () => {
    const lagging = see(regranted(), false, RUNNING, T0 + 2 * SECOND);
    expect(next(lagging, RUNNING, T0 + 2 * SECOND)).toEqual({ do: 'wait', until: settled + 1 });
  });

  test('is still looked for after another removal was proven in between', () => {
    const lost = fails(remove(ourMembership(), T0), 'remove', 'unknown');
    const proven = see(told(remove(lost, T0 + 1), 'removed', UNWANTED, T0 + 2), false, UNWANTED, T0 + 3);
    expect(proven.origin).toBe('none');
    const again = see(told(add(proven, T0 + 4), 'added', WANTED, T0 + 5), true, WANTED, T0 + 6);
    expect(next(again, RUNNING, T0 + 7).do).toBe('wait');
  });
});

describe('a membership that is missing although a grant runs', () => {
  test('is somebody else’s doing only after two absent reads further apart than the lag', () => {
    const first = see(ourMembership(), false, RUNNING, T0 + SECOND);
    expect(removedOutside(first, LAG)).toBe(false);
    expect(next(first, RUNNING, T0 + SECOND).do).toBe('wait');
    const lagging = see(first, true, RUNNING, T0 + 2 * SECOND);
    expect(lagging).not.toHaveProperty('missingSinceAt');
    const second = see(first, false, RUNNING, T0 + SECOND + LAG + 1);
    expect(removedOutside(second, LAG)).toBe(true);
    expect(next(second, WANTED, T0 + HOUR)).toEqual({ do: 'nothing' });
  });
});

describe('a wall clock that steps', () => {
  test('back never makes a wait longer than a minute, nor a read that follows on itself', () => {
    const rows = [
      fails(add(membership(), T0), 'add', 'unknown'),
      see(
        told(remove(fails(add(membership(), T0), 'add', 'unknown'), T0), 'removed', UNWANTED, T0),
        false,
        UNWANTED,
        T0,
      ),
      see(ourMembership(), false, RUNNING, T0),
      see(told(remove(ourMembership(), T0), 'removed', UNWANTED, T0), true, UNWANTED, T0),
    ];
    for (const row of rows)
      for (const wish of [RUNNING, UNWANTED]) {
        let at = T0 - HOUR;
        let now = row;
        const steps: string[] = [];
        for (let turn = 0; turn < 6; turn++) {
          const step = next(now, wish, at);
          steps.push(step.do);
          if (step.do === 'wait') expect(step.until - at).toBeLessThanOrEqual(60_000);
          if (step.do === 'nothing' || step.do === 'wait') break;
          if (step.do === 'read') now = see(now, wish.wanted, wish, at);
          else if (step.do === 'add') now = told(add(now, at), 'added', wish, at);
          else now = told(remove(now, at), 'removed', wish, at);
          at += 50;
        }
        expect(['nothing', 'wait']).toContain(steps.at(-1));
      }
  });

  test('back does not put off a removal that did not hold', () => {
    const still = see(told(remove(ourMembership(), T0), 'removed', UNWANTED, T0), true, UNWANTED, T0);
    expect(next(still, UNWANTED, T0 - HOUR)).toEqual({ do: 'remove' });
  });

  test('back never turns an absent read into a proof', () => {
    const lost = fails(add(membership(), T0), 'add', 'unknown');
    const removed = told(remove(lost, T0), 'removed', UNWANTED, T0);
    expect(see(removed, false, UNWANTED, T0 - HOUR).origin).toBe('ours');
  });
});
