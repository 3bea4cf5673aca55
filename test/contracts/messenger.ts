/**
 * What every messenger must do, written once for all platforms.
 *
 * Promise: what is posted can be updated where it stands; a failure is a `MessengerError` that says whether it may have
 * been posted, and what can be used no more; nothing is retried behind the caller's back.
 */
import { describe, expect, it } from 'vitest';
import { type MessageTarget, type Messenger, MessengerError } from '../../src/access/ports.ts';
import type { MessageView } from '../../src/access/view.ts';

export type Fault = 'busy' | 'busy for 7 s' | 'down' | 'silent' | 'closed' | 'unauthorized' | 'gone' | 'none';

export interface MessengerUnderTest {
  readonly name: string;
  readonly platform: Messenger['platform'];
  readonly person: MessageTarget;
  readonly channel: MessageTarget;
  open(): Promise<MessengerBench>;
}

export interface MessengerBench {
  readonly messenger: Messenger;
  /** How the platform answers from now on to posts and updates. `silent`: takes it, and never answers. */
  answer(fault: Fault): void;
  /** Posts and updates that reached the platform, oldest first, as JSON text. */
  received(): readonly string[];
  close(): Promise<void>;
}

export function messengerContract(subject: MessengerUnderTest, view: MessageView): void {
  describe(subject.name, () => {
    const on = async (use: (bench: MessengerBench) => Promise<void>) => {
      const bench = await subject.open();
      try {
        await use(bench);
      } finally {
        await bench.close();
      }
    };
    const failing = async (bench: MessengerBench, fault: Fault, call: () => Promise<unknown>) => {
      bench.answer(fault);
      const error = await call().then(
        () => undefined,
        (caught: unknown) => caught,
      );
      if (!(error instanceof MessengerError)) throw new Error(`not a MessengerError: ${String(error)}`);
      return error;
    };

    it.each(['channel', 'person'] as const)('posts to a %s and updates it where it stands', (place) =>
      on(async ({ messenger, received }) => {
        expect(messenger.platform).toBe(subject.platform);
        const at = await messenger.post(subject[place], view, 'mark-1');
        expect(at.conversation).not.toBe('');
        expect(at.ts).not.toBe('');
        await messenger.update(at, view);
        expect(received()).toHaveLength(2);
        expect(received()[1]).toContain(at.ts);
      }),
    );

    it.each<[Fault, Partial<MessengerError>]>([
      ['busy for 7 s', { code: 'rate_limited', effect: 'none', retryAfterMs: 7_000 }],
      ['busy', { code: 'rate_limited', effect: 'none' }],
      ['down', { code: 'unavailable', effect: 'unknown' }],
      ['silent', { code: 'unavailable', effect: 'unknown' }],
      ['unauthorized', { code: 'unauthorized', effect: 'none' }],
      ['closed', { effect: 'none', missing: 'conversation' }],
    ])('when the platform is %s, says so once and sends it once', (fault, expected) =>
      on(async (bench) => {
        const error = await failing(bench, fault, () => bench.messenger.post(subject.channel, view, 'mark-1'));
        expect(error).toMatchObject(expected);
        expect(bench.received()).toHaveLength(1);
      }),
    );

    it('after being told to wait it says itself for how long, and sends nothing', () =>
      on(async (bench) => {
        await failing(bench, 'busy for 7 s', () => bench.messenger.post(subject.channel, view, 'mark-1'));
        expect(bench.messenger.roomIn?.(subject.channel) ?? 7_000).toBeGreaterThan(5_000);
        const error = await failing(bench, 'none', () => bench.messenger.post(subject.channel, view, 'mark-1'));
        expect(error).toMatchObject({ code: 'rate_limited', effect: 'none' });
        expect(bench.received()).toHaveLength(1);
      }));

    it('a message that is gone is not the whole conversation', () =>
      on(async (bench) => {
        const at = await bench.messenger.post(subject.channel, view, 'mark-1');
        const error = await failing(bench, 'gone', () => bench.messenger.update(at, view));
        expect(error).toMatchObject({ code: 'not_found', missing: 'message' });
      }));

    it('an account of another platform is nobody it can write to', () =>
      on(async (bench) => {
        const other = subject.platform === 'slack' ? 'teams' : 'slack';
        const account = { platform: other, tenant: 'T', id: 'U1' } as const;
        const error = await failing(bench, 'none', () => bench.messenger.post({ account }, view, 'mark-1'));
        expect(error).toMatchObject({ code: 'rejected', effect: 'none' });
        expect(bench.received()).toEqual([]);
      }));
  });
}
