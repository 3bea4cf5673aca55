/**
 * A command is carried out once for each key that its sender gives it: sent again, it is answered as it was the first
 * time. That it acts once is the inbox's doing, in the very commit; what is kept here is only what was said.
 */
import type { Answer, Command } from '../access/command.ts';
import type { AnswerStore, Clock, Desk, Ids } from '../access/ports.ts';
import type { Admitted } from './door.ts';
import { ApiProblem, isUndecided, refusalProblem } from './problems.ts';
import type { Problem } from './schemas.ts';

export interface Call<T> {
  readonly caller: Admitted;
  /** `Idempotency-Key`; absent: whoever sends it again asks again. */
  readonly key: string | undefined;
  readonly command: Command;
  /** What is said of the answer; throws the problem for one that is no success. */
  readonly shown: (answer: Answer) => T | Promise<T>;
}

export interface Said<T> {
  readonly value: T;
  /** It was carried out before. */
  readonly replayed: boolean;
}

export interface Once {
  /** Throws an `ApiProblem` where it was refused. */
  carryOut<T>(call: Call<T>): Promise<Said<T>>;
  /** Forgets what nobody asks for again. */
  tidy(): Promise<void>;
}

export interface OnceParts {
  readonly desk: Desk;
  readonly store: AnswerStore;
  readonly clock: Clock;
  readonly ids: Ids;
}

/** Long enough for a pipeline that was held up over a night. */
const KEPT_MS = 24 * 3_600_000;
const COME_BACK_S = 1;

type Kept = { readonly value: unknown } | { readonly problem: Problem };

export function createOnce({ desk, store, clock, ids }: OnceParts): Once {
  async function carryOut<T>({ caller, key: given, command, shown }: Call<T>): Promise<Said<T>> {
    if (given === undefined) {
      const { answer } = await desk.take({ key: `api:${ids.opaque()}`, command });
      return { value: await shown(await answer), replayed: false };
    }
    const key = `api:${ids.hash(`${caller.session.id} ${given}`)}`;
    const fingerprint = ids.hash(JSON.stringify(command));
    const before = await store.keptAnswer(key);
    if (before !== undefined && before.fingerprint !== fingerprint) throw reused();
    if (before?.body !== undefined) return again(before.body);
    const tries = before?.tries ?? 0;
    const taken = await desk.take({ key: `${key}:${tries}`, command });
    if (!taken.fresh) {
      const meanwhile = await store.keptAnswer(key);
      if (meanwhile?.body !== undefined && meanwhile.fingerprint === fingerprint) return again(meanwhile.body);
      throw underWay();
    }
    const answer = await taken.answer;
    const keep = async (kept: Kept | undefined, now = tries) =>
      await store.keepAnswer({
        key,
        fingerprint,
        tries: now,
        at: clock.now(),
        ...(kept === undefined ? {} : { body: JSON.stringify(kept) }),
      });
    if (answer.say === 'refused' && isUndecided(answer.refusal)) {
      // Nothing was decided, and its delivery is closed: the same key may try once more, as another delivery. What is
      // tried again by itself stays under the one that it has.
      if (answer.refusal.code !== 'being_retried') await keep(undefined, tries + 1);
      throw refusalProblem(answer.refusal, undefined);
    }
    try {
      const value = await shown(answer);
      await keep({ value });
      return { value, replayed: false };
    } catch (error) {
      if (error instanceof ApiProblem) await keep({ problem: error.problem });
      throw error;
    }
  }

  function again<T>(body: string): Said<T> {
    const kept = JSON.parse(body) as Kept;
    if ('problem' in kept) throw new ApiProblem(kept.problem, REPLAYED);
    // Only what `shown` returned for the same command was kept under this key.
    return { value: kept.value as T, replayed: true };
  }

  return {
    carryOut,
    async tidy() {
      await store.forgetAnswers(clock.now() - KEPT_MS);
    },
  };
}

export const REPLAYED = { 'idempotency-replayed': 'true' } as const;

function reused(): ApiProblem {
  return new ApiProblem({
    title: 'This Idempotency-Key was used for something else.',
    status: 422,
    detail: 'Nothing was done. Give every command a key of its own.',
    code: 'idempotency_key_reused',
  });
}

function underWay(): ApiProblem {
  return new ApiProblem(
    {
      title: 'The first call with this Idempotency-Key has no answer yet.',
      status: 409,
      detail:
        'Send it again in a moment. If this goes on, Hallpass was stopped before it could keep the answer: look at what there is before you ask under another key.',
      code: 'idempotency_in_progress',
    },
    { 'retry-after': String(COME_BACK_S) },
  );
}
