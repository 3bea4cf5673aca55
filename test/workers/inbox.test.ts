/** The desk on a real store, with a handler and a clock of the test's: what is durable when a door may acknowledge. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Answer, Command } from '../../src/access/command.ts';
import type { Handler } from '../../src/access/handle.ts';
import { type Incoming, type Intake, StaleStateError } from '../../src/access/ports.ts';
import type { OpenStore } from '../../src/store/database.ts';
import { createDesk } from '../../src/workers/inbox.ts';
import { aRequest, T0 } from '../contracts/store-rows.ts';
import { handClock } from '../support/clock.ts';
import { openTestStore } from '../support/open-store.ts';

const HELP: Answer = { say: 'help' };
const COMMAND: Command = { do: 'help', by: { platform: 'slack', tenant: 'T1', id: 'U1' } };
const LONG = T0 + 3_600_000;

describe('the desk', () => {
  let store: OpenStore;
  let alarms: (() => void)[];

  beforeEach(async () => {
    store = await openTestStore('sqlite::memory:');
    alarms = [];
  });
  afterEach(() => store.close());

  const incoming = (key: string): Incoming => ({
    key,
    command: COMMAND,
    reply: { account: { platform: 'slack', tenant: 'T1', id: 'U1' } },
  });
  const unanswered = async () => (await store.unanswered(LONG, LONG + 1, 10)).map(({ key }) => key);

  function desk(handle: (intake: Intake) => Promise<Answer>) {
    const handler = { handle: (_: Command, intake: Intake) => handle(intake) } as unknown as Handler;
    return createDesk({
      store,
      handler,
      clock: handClock(T0),
      log: { error: () => undefined, warn: () => undefined },
      after: (_, act) => {
        alarms.push(act);
        return () => alarms.splice(alarms.indexOf(act), 1);
      },
    });
  }
  /** What a handler does that finds everything at hand. */
  async function request(intake: Intake, id = 'R-7KQ2'): Promise<Answer> {
    const delivery = await intake.closing();
    if (delivery === 'replayed') return { say: 'refused', refusal: { code: 'busy' } };
    await store.commit({ changes: [{ put: 'request', row: aRequest({ id }) }], delivery });
    return HELP;
  }

  it('keeps a delivery and its outcome in one commit when it is decided at once', async () => {
    const taken = await desk((intake) => request(intake)).take(incoming('d1'));
    expect(taken.fresh).toBe(true);
    expect(await taken.answer).toBe(HELP);
    expect(await store.request('R-7KQ2')).toBeDefined();
    expect(await store.receive({ key: 'd1', receivedAt: T0, body: '' }, T0)).toBe(false);
    expect(await unanswered()).toEqual([]);
    expect(alarms).toEqual([]);
  });

  it('keeps a delivery by itself, so that it may be acknowledged, when deciding takes longer', async () => {
    const facts = Promise.withResolvers<void>();
    const taking = desk(async (intake) => {
      await facts.promise;
      return request(intake);
    }).take(incoming('d1'));
    alarms[0]?.();
    const taken = await taking;
    expect(taken.fresh).toBe(true);
    expect(await store.request('R-7KQ2')).toBeUndefined();
    expect(await unanswered()).toEqual(['d1']);
    facts.resolve();
    expect(await taken.answer).toBe(HELP);
    expect(await unanswered()).toEqual([]);
  });

  it('acts once on a delivery that arrives twice at the same moment', async () => {
    let n = 0;
    const one = desk(async (intake) => {
      try {
        return await request(intake, `R-${n++}`);
      } catch (error) {
        if (!(error instanceof StaleStateError)) throw error;
        intake.overtaken();
        return request(intake, `R-${n++}`);
      }
    });
    const taken = await Promise.all([one.take(incoming('d1')), one.take(incoming('d1'))]);
    expect(taken.filter(({ fresh }) => fresh)).toHaveLength(1);
    await Promise.all(taken.map(({ answer }) => answer));
    expect(await store.list({ limit: 10 })).toHaveLength(1);
  });

  it('goes on under its own key when somebody else was faster with a row', async () => {
    await store.commit({ changes: [{ put: 'request', row: aRequest() }] });
    const taken = await desk(async (intake) => {
      await expect(request(intake)).rejects.toThrow(StaleStateError);
      intake.overtaken();
      return request(intake, 'R-2222');
    }).take(incoming('d1'));
    expect(taken.fresh).toBe(true);
    expect(await taken.answer).toBe(HELP);
    expect(await store.request('R-2222')).toBeDefined();
    expect(await unanswered()).toEqual([]);
  });

  it('keeps what it could not decide, for another try', async () => {
    const taken = await desk(() => Promise.reject(new Error('a mistake of ours'))).take(incoming('d1'));
    expect(taken.fresh).toBe(true);
    expect(await taken.answer).toEqual({ say: 'refused', refusal: { code: 'being_retried' } });
    expect(await unanswered()).toEqual(['d1']);
  });

  it('fails when nothing can be kept', async () => {
    const broken = () => Promise.reject(new Error('disk full'));
    Object.assign(store, { receive: broken, commit: broken });
    await expect(desk((intake) => request(intake)).take(incoming('d1'))).rejects.toThrow('disk full');
  });
});
