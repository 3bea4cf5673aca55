/** A form's way through Slack when Slack, the record or the decision are slow or fail: nothing is said that is not so. */
import { describe, expect, test } from 'vitest';
import type { Answer } from '../../src/access/command.ts';
import type { Desk, Questions } from '../../src/access/ports.ts';
import type { FormView, FormWish } from '../../src/access/preview.ts';
import { createForms, type Forms } from '../../src/chat/slack/form.ts';
import type { FormSent } from '../../src/chat/slack/parse-form.ts';
import type { Web } from '../../src/chat/slack/web.ts';
import { answered, clock, fakeDesk, quiet, requestView } from './slack-support.ts';

const account = { platform: 'slack', tenant: 'T1', id: 'U1' } as const;
const stamp = 'abc';
const REQUESTED: Answer = { say: 'done', what: 'requested', request: requestView(), asked: ['Ben Okafor'] };
const NO: Answer = { say: 'refused', refusal: { code: 'reason_too_short', minLength: 10, length: 3 } };

interface Stage {
  readonly forms: Forms;
  readonly desk: ReturnType<typeof fakeDesk>;
  readonly calls: { readonly method: string; readonly args: Record<string, unknown> }[];
  readonly said: (Answer | string)[];
  /** Everything that went on after an acknowledgement has ended. */
  settled(): Promise<void>;
  /** What a form is acknowledged with. */
  send(more?: { readonly delivery?: string; readonly reason?: string }): Promise<unknown>;
}

function stage(
  parts: {
    readonly take?: Desk['take'];
    readonly form?: (wish: FormWish) => Promise<FormView>;
    readonly call?: (method: string) => unknown;
  } = {},
): Stage {
  const desk = fakeDesk(parts.take ?? (async () => answered(REQUESTED)));
  const calls: Stage['calls'] = [];
  const said: Stage['said'] = [];
  const work: Promise<void>[] = [];
  let hash = 0;
  const questions = {
    stamp: () => stamp,
    form: async (_by: unknown, wish: FormWish) =>
      (await parts.form?.(wish)) ?? { zone: 'UTC', duration: '', reason: '' },
  } as unknown as Questions;
  const forms = createForms({
    web: {
      call: async (method: string, args: Record<string, unknown>) => {
        calls.push({ method, args });
        parts.call?.(method);
        return { view: { id: 'V1', hash: `h${++hash}` } };
      },
    } as unknown as Web,
    questions,
    desk,
    clock,
    logger: quiet,
    zone: () => 'UTC',
    commandWord: '/access',
    patienceMs: 40,
    tell: async (_reply, rendered) => void said.push(rendered.text),
    say: async (_reply, answer) => void said.push(answer),
    later: (one) => void work.push(one),
  });
  return {
    forms,
    desk,
    calls,
    said,
    async settled() {
      for (let done = 0; done < work.length; done = work.length) await Promise.all(work);
    },
    async send({ delivery = 'd1', reason = 'fix stuck migration' } = {}) {
      const acked: unknown[] = [];
      const sent: FormSent = {
        is: 'form_sent',
        viewId: 'V1',
        hash: 'h1',
        account,
        wish: {},
        deliveryKey: delivery,
        shown: { resource: 'db-prod', role: 'read', stamp },
        command: { do: 'request', by: account, resource: 'db-prod', role: 'read', reason },
      };
      await forms.sent(sent, async (answer) => void acked.push(answer));
      expect(acked).toHaveLength(1);
      return acked[0];
    },
  };
}

const errors = (answer: unknown) => (answer as { errors?: Record<string, string> } | undefined)?.errors ?? {};

describe('a form that was sent', () => {
  test('closes and is answered, and sent once more does nothing', async () => {
    const { send, settled, said, desk } = stage();
    expect(await send()).toBeUndefined();
    expect(errors(await send({ delivery: 'd2' })).resource).toMatch(/sent already/);
    await settled();
    expect(said).toEqual([REQUESTED]);
    expect(desk.taken).toHaveLength(1);
  });

  test('whose answer is late closes, and the answer follows, whatever it is', async () => {
    const answer = Promise.withResolvers<Answer>();
    const { send, settled, said } = stage({ take: async () => ({ fresh: true, answer: answer.promise }) });
    expect(await send()).toBeUndefined();
    answer.resolve(NO);
    await settled();
    expect(said).toEqual([NO]);
  });

  test('that could not be recorded stays open; recorded too late and failed, it says so', async () => {
    const failing = stage({ take: () => Promise.reject(new Error('disk full')) });
    expect(errors(await failing.send()).resource).toMatch(/Nothing was done/);
    expect(errors(await failing.send()).resource).toMatch(/Nothing was done/);
    const taken = Promise.withResolvers<never>();
    const late = stage({ take: () => taken.promise });
    expect(await late.send()).toBeUndefined();
    taken.reject(new Error('disk full'));
    await late.settled();
    expect(late.said).toEqual([expect.stringMatching(/Nothing was done/)]);
  });

  test('that is tried again by itself is not left open to be sent again', async () => {
    const retried: Answer = { say: 'refused', refusal: { code: 'being_retried' } };
    const { send, settled, said } = stage({ take: async () => answered(retried) });
    expect(await send()).toBeUndefined();
    await settled();
    expect(said).toEqual([retried]);
  });

  test('that was refused is another delivery when it is sent again, and the same bytes are none', async () => {
    const { send, desk } = stage({ take: async () => answered(NO) });
    expect(errors(await send({ reason: 'fix' })).reason).toMatch(/too short/);
    expect(errors(await send({ reason: 'fix' })).resource).toMatch(/sent already/);
    expect(errors(await send({ reason: 'fix', delivery: 'd2' })).reason).toMatch(/too short/);
    expect(new Set(desk.taken.map(({ key }) => key)).size).toBe(2);
  });
});

describe('a form that is being filled in', () => {
  const change = (resource: string, hash = 'h1') =>
    ({ is: 'form_changed', viewId: 'V1', hash, account, wish: { resource } }) as const;

  test('is drawn as it was changed last, in one order, on the hash of the drawing before', async () => {
    const slow = Promise.withResolvers<void>();
    const looked: (string | undefined)[] = [];
    const { forms, calls } = stage({
      form: async (wish) => {
        looked.push(wish.resource);
        if (looked.length === 1) await slow.promise;
        return { zone: 'UTC', duration: '', reason: '' };
      },
    });
    const changes = ['a', 'b', 'c'].map((resource) => forms.changed(change(resource)));
    await Promise.resolve();
    slow.resolve();
    await Promise.all(changes);
    expect(looked.at(-1)).toBe('c');
    expect(looked).not.toContain('b');
    const hashes = calls.map(({ args }) => args.hash);
    expect(hashes[0]).toBe('h1');
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  test('that Slack does not open says what to do instead', async () => {
    const { forms, said, settled } = stage({
      call: () => {
        throw new Error('expired_trigger_id');
      },
    });
    await forms.open('t', { account }, {});
    await settled();
    expect(said).toEqual([expect.stringMatching(/did not open the form.*\/access request/)]);
  });

  test('whose look-up fails says so in the form', async () => {
    const { forms, calls, settled } = stage({ form: () => Promise.reject(new Error('database is down')) });
    await forms.open('t', { account }, {});
    await settled();
    expect(JSON.stringify(calls.at(-1)?.args.view)).toMatch(/cannot look this up right now/);
    expect(JSON.stringify(calls)).not.toContain('database');
  });
});
