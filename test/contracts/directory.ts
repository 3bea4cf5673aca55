/**
 * What every directory adapter promises, whatever the vendor.
 *
 * Promise: a method returns only what the directory has said, and every failure is a `DirectoryError` that says whether
 * the call may have happened all the same. Attack: a local server of the vendor's that loses answers at each moment,
 * lags, hangs, drips, refuses and lies. What this cannot show: that the vendor behaves as its documentation says.
 */
import { inspect } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { type Directory, DirectoryError } from '../../src/access/ports.ts';
import type { Case, ContractTable } from './directory-table.ts';

export interface ContractFault {
  readonly kind: 'down' | 'status' | 'hang' | 'hang-after' | 'reset-before' | 'reset-after' | 'malformed' | 'drip';
  readonly on: 'reads' | 'writes' | 'all';
  /** Absent: until the test ends. */
  readonly times?: number;
  readonly status?: number;
  /** The error text of a status answer repeats the credential it was sent. */
  readonly echo?: boolean;
}

export interface ContractGroup {
  readonly id: string;
  readonly name: string;
  readonly members?: readonly string[];
  readonly kind?: 'rule-fed' | 'app-mastered' | 'built-in';
}

export interface ContractUser {
  readonly id: string;
  readonly login: string;
  readonly active?: boolean;
}

/** The adapter under test and the local server it talks to. */
export interface LocalDirectory {
  readonly directory: Directory;
  /** No error may contain one of these. */
  readonly secrets: readonly string[];
  /** What holds at the server, whatever reads show. */
  holds(groupId: string, userId: string): boolean;
  fault(fault: ContractFault): void;
  clear(): void;
  /** The next so many reads of a membership show the state before the last write. */
  lagReads(reads: number): void;
  /** From now on a 429 that names a reset in `resetInMs`, by a clock that is off by `skewMs`. */
  rateLimit(resetInMs: number, skewMs: number): void;
  /** From now on the vendor's rate limit in one of `DirectoryHarness.rateForms`. */
  limit(form: string): void;
  deleteGroup(groupId: string): void;
  deleteUser(userId: string): void;
  revokeCredential(): void;
  forbidWrites(): void;
  /** When the membership ends by itself. */
  endsAt?(groupId: string, userId: string): number | undefined;
  /** From now on the account has no such thing. */
  dropExpiry?(): void;
  /** Writes that reached the server, answered or not. */
  writes(): number;
  reads(): number;
  /** Ends the server: nothing listens any more. */
  stop(): Promise<void>;
}

export interface DirectoryHarness {
  readonly userId: (n: number) => string;
  readonly groupId: (n: number) => string;
  /** What the vendor names a group by, from a word. */
  readonly groupName: (word: string) => string;
  /** Reads without which the vendor's removals would not be safe. */
  readonly removalReads: number;
  readonly start: (
    seed: { readonly users: readonly ContractUser[]; readonly groups: readonly ContractGroup[] },
    options?: { readonly callDeadlineMs?: number; readonly budget?: number },
  ) => Promise<LocalDirectory>;
  /** Which groups the vendor knows that Hallpass must not manage. */
  readonly unmanageable: readonly NonNullable<ContractGroup['kind']>[];
  /** Member counts around the page size. */
  readonly memberCounts: readonly number[];
  /** The forms in which the vendor says that it is too much, by the case they belong to. */
  readonly rateForms: Readonly<Partial<Record<'429' | '403 that is a rate limit', readonly string[]>>>;
  /** Cases that the vendor cannot produce, each with the reason. */
  readonly without: Readonly<Partial<Record<Case, string>>>;
}

/** Long enough for a loaded machine, short enough to be waited out. */
const SHORT_MS = 150;

export function directoryContract(title: string, harness: DirectoryHarness, table?: ContractTable): void {
  table?.adapter(title, harness.without);
  /** Runs a test, and when it passes marks its cases in the table. */
  const shows =
    <A extends readonly unknown[]>(cases: readonly Case[], run: (...args: A) => Promise<void>) =>
    async (...args: A) => {
      await run(...args);
      table?.passed(title, cases);
    };
  const can = (kind: Case) => harness.without[kind] === undefined;
  describe(title, () => {
    const group = harness.groupId(1);
    const other = harness.groupId(2);
    const ana = harness.userId(1);
    const ben = harness.userId(2);
    const nobody = harness.userId(999);
    const named = harness.groupName;
    const running: LocalDirectory[] = [];

    const start = async (options?: { callDeadlineMs?: number; budget?: number }, groups?: readonly ContractGroup[]) => {
      const local = await harness.start(
        {
          users: [
            { id: ana, login: 'ana@acme.example' },
            { id: ben, login: 'ben@acme.example' },
            { id: harness.userId(3), login: 'gone@acme.example', active: false },
          ],
          groups: groups ?? [
            { id: group, name: named('prod-db-read') },
            { id: other, name: named('prod-db-read-only'), members: [ben] },
          ],
        },
        options,
      );
      running.push(local);
      return local;
    };

    afterEach(async () => {
      await Promise.all(running.splice(0).map((local) => local.stop()));
    });

    /** The `DirectoryError` of a call, seen to keep every secret. */
    const failure = async (local: LocalDirectory, call: Promise<unknown>): Promise<DirectoryError> => {
      const error = await call.then(
        (value) => expect.fail(`should have failed, gave ${JSON.stringify(value)}`),
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(DirectoryError);
      const failed = error as DirectoryError;
      expect(failed.directory).toBe(local.directory.name);
      expect(Object.keys(failed)).not.toContain('cause');
      const everything = `${failed.message} ${failed.stack} ${JSON.stringify(failed)} ${inspect(failed, { depth: 12, showHidden: true })}`;
      for (const secret of local.secrets) expect(everything).not.toContain(secret);
      return failed;
    };

    describe('changing a membership', () => {
      test(
        'an addition is in force when it returns, and adding again changes nothing',
        shows(['add', 'add again'], async () => {
          const local = await start();
          expect(await local.directory.isMember(group, ana)).toBe(false);
          expect(await local.directory.add(group, ana)).toBe('added');
          expect(local.holds(group, ana)).toBe(true);
          expect(await local.directory.isMember(group, ana)).toBe(true);
          expect(['added', 'already_member']).toContain(await local.directory.add(group, ana));
          expect(local.holds(group, ana)).toBe(true);
        }),
      );

      test(
        'a removal is in force when it returns, and removing again is no error',
        shows(['remove', 'remove again'], async () => {
          const local = await start();
          expect(await local.directory.remove(other, ben)).toBe('removed');
          expect(local.holds(other, ben)).toBe(false);
          expect(await local.directory.isMember(other, ben)).toBe(false);
          expect(['removed', 'was_not_member']).toContain(await local.directory.remove(other, ben));
        }),
      );

      test(
        'a membership that was there before is seen by a read',
        shows(['baseline'], async () => {
          const local = await start();
          expect(await local.directory.isMember(other, ben)).toBe(true);
          expect((await local.directory.listMembers(other)).map((user) => user.id)).toEqual([ben]);
        }),
      );

      test('a removal is one change, and no more looks than the vendor makes necessary', async () => {
        const local = await start();
        await local.directory.remove(other, ben);
        expect([local.writes(), local.reads()]).toEqual([1, harness.removalReads]);
      });

      test.each(['add', 'remove', 'listMembers', 'isMember'] as const)(
        'a group that is gone is an error of %s that names the group, never an absence',
        shows(['unknown group'], async (method) => {
          const local = await start();
          local.deleteGroup(other);
          const failed = await failure(local, local.directory[method](other, ben));
          expect(failed).toMatchObject({ code: 'not_found', missing: 'group', effect: 'none' });
        }),
      );

      test.each(['add', 'remove', 'isMember'] as const)(
        'a person who is gone is an error of %s that names the user, never an absence',
        shows(['unknown user'], async (method) => {
          const local = await start();
          local.deleteUser(ben);
          const failed = await failure(local, local.directory[method](other, ben));
          expect(failed).toMatchObject({ code: 'not_found', missing: 'user', effect: 'none' });
        }),
      );

      test.each(['add', 'remove'] as const)(
        '%s refuses a text that is not an id, without sending it',
        async (method) => {
          const local = await start();
          for (const bad of ['', '..', '../users', 'a/b', 'a?b', '\ud800', `${group}\n`]) {
            expect(await failure(local, local.directory[method](group, bad))).toMatchObject({
              code: 'rejected',
              effect: 'none',
            });
            expect(await failure(local, local.directory[method](bad, ana))).toMatchObject({
              code: 'rejected',
              effect: 'none',
            });
          }
          expect(local.writes()).toBe(0);
        },
      );
    });

    describe('finding groups and people', () => {
      test('a group is found by its exact name and by its id, not by the beginning of its name', async () => {
        const local = await start();
        const name = named('prod-db-read');
        expect(await local.directory.findGroup(name)).toEqual({ id: group, name });
        expect(await local.directory.findGroup(other)).toEqual({ id: other, name: named('prod-db-read-only') });
        expect(await local.directory.findGroup(named('prod-db'))).toBeUndefined();
        expect(await local.directory.findGroup(harness.groupId(77))).toBeUndefined();
      });

      test.each(harness.unmanageable)(
        'a group that is %s is named unmanageable, with the reason',
        shows(['group not ours to manage'], async (kind) => {
          const local = await start({}, [{ id: group, name: named('theirs'), kind }]);
          const found = await local.directory.findGroup(named('theirs'));
          expect(found?.unmanageable).toMatch(/\w+ \w+/);
        }),
      );

      test('a person is found by login whatever its case, and by id', async () => {
        const local = await start();
        const found = await local.directory.findUser('ANA@acme.example');
        expect(found).toMatchObject({
          directory: local.directory.name,
          id: ana,
          login: 'ana@acme.example',
          active: true,
        });
        expect(await local.directory.getUser(ana)).toEqual(found);
        expect(await local.directory.findUser('nobody@acme.example')).toBeUndefined();
        expect(await local.directory.getUser(nobody)).toBeUndefined();
      });

      test('an id is not a login, and a login is not an id', async () => {
        const local = await start();
        expect(await local.directory.findUser(ana)).toBeUndefined();
        expect(await local.directory.findUser('ana')).toBeUndefined();
        expect(await local.directory.getUser('ana')).toBeUndefined();
      });

      test('a deactivated account is found and is not active', async () => {
        const local = await start();
        expect(await local.directory.findUser('gone@acme.example')).toMatchObject({ active: false });
      });

      test.each(harness.memberCounts)(
        'all %i members of a group are listed, each once',
        shows(['page boundaries'], async (count) => {
          const ids = Array.from({ length: count }, (_, n) => harness.userId(n + 1));
          const local = await harness.start({
            users: ids.map((id, n) => ({ id, login: `user${n}@acme.example`, active: n % 50 !== 7 })),
            groups: [{ id: group, name: named('large'), members: ids }],
          });
          running.push(local);
          const members = await local.directory.listMembers(group);
          expect(members.map((user) => user.id).sort()).toEqual(ids.sort());
          expect(members.filter((user) => !user.active)).toHaveLength(ids.filter((_, n) => n % 50 === 7).length);
        }),
      );

      test(
        'a read that lags shows the old state, and the next one is asked anew',
        shows(['read lag'], async () => {
          const local = await start();
          expect(local.directory.lagMs).toBeGreaterThan(0);
          local.lagReads(2);
          await local.directory.add(group, ana);
          expect(local.holds(group, ana)).toBe(true);
          expect(await local.directory.isMember(group, ana)).toBe(false);
          expect(await local.directory.listMembers(group)).toEqual([]);
          expect(await local.directory.isMember(group, ana)).toBe(true);
        }),
      );
    });

    if (can('native expiry'))
      describe('a membership that the directory ends by itself', () => {
        const END = Math.ceil(Date.now() / 1_000) * 1_000 + 3_600_000;

        test(
          'ends when it was last told to, in whole seconds and never before, and no longer once that is lifted',
          shows(['native expiry'], async () => {
            const { directory, ...local } = await start();
            for (const [at, kept] of [
              [END, END],
              [END + 60_001, END + 61_000],
              [undefined, undefined],
              [undefined, undefined],
            ] as const) {
              expect(await directory.expireAt?.(other, ben, at)).toBe('set');
              expect(local.endsAt?.(other, ben)).toBe(kept);
              expect(local.holds(other, ben)).toBe(true);
            }
          }),
        );

        test(
          'is refused where there is no membership, and nothing is added',
          shows(['native expiry'], async () => {
            const local = await start();
            expect(await failure(local, local.directory.expireAt?.(group, ana, END) as Promise<unknown>)).toMatchObject(
              {
                code: 'not_found',
                effect: 'none',
              },
            );
            expect(local.holds(group, ana)).toBe(false);
          }),
        );

        test(
          'is told apart from an account that has no such thing, which is not asked again for each membership',
          shows(['native expiry'], async () => {
            const local = await start();
            expect(await local.directory.canExpire?.(other)).toBe(true);
            local.dropExpiry?.();
            expect(await local.directory.canExpire?.(other)).toBe(false);
            expect(await local.directory.expireAt?.(other, ben, END)).toBe('unavailable');
            const before = local.writes();
            expect(await local.directory.expireAt?.(other, ben, END)).toBe('unavailable');
            expect(local.writes()).toBe(before);
            expect(local.holds(other, ben)).toBe(true);
          }),
        );

        test(
          'is unknown after a lost answer, and setting it again is no error',
          shows(['native expiry'], async () => {
            const local = await start();
            local.fault({ kind: 'reset-after', on: 'writes', times: 1 });
            expect(await failure(local, local.directory.expireAt?.(other, ben, END) as Promise<unknown>)).toMatchObject(
              {
                code: 'unavailable',
                effect: 'unknown',
              },
            );
            expect(await local.directory.expireAt?.(other, ben, END)).toBe('set');
            expect(local.endsAt?.(other, ben)).toBe(END);
          }),
        );
      });

    describe('refusals', () => {
      test.each(['add', 'remove', 'isMember', 'listMembers', 'findGroup', 'getUser'] as const)(
        'a credential that is no longer valid makes %s fail as unauthorized',
        shows(['401'], async (method) => {
          const local = await start();
          local.revokeCredential();
          const failed = await failure(local, local.directory[method](other, ben));
          expect(failed).toMatchObject({ code: 'unauthorized', effect: 'none' });
          expect(local.holds(other, ben)).toBe(true);
        }),
      );

      test.each(['add', 'remove'] as const)(
        'missing permission makes %s fail as rejected, never as gone',
        shows(['403'], async (method) => {
          const local = await start();
          local.forbidWrites();
          expect(await failure(local, local.directory[method](other, ben))).toMatchObject({
            code: 'rejected',
            effect: 'none',
          });
          expect(local.holds(other, ben)).toBe(true);
        }),
      );

      test(
        'missing permission to read makes a proof fail, never succeed',
        shows(['403'], async () => {
          const local = await start();
          local.fault({ kind: 'status', status: 403, on: 'reads' });
          expect(await failure(local, local.directory.isMember(group, ana))).toMatchObject({ code: 'rejected' });
          expect(await failure(local, local.directory.listMembers(group))).toMatchObject({ code: 'rejected' });
          expect(await failure(local, local.directory.getUser(ana))).toMatchObject({ code: 'rejected' });
        }),
      );

      test.each([400, 401, 403, 404, 409, 418, 429, 500, 503])(
        'an answer %i that repeats the credential does not carry it into the error',
        shows(['secrets stay out of errors'], async (status) => {
          const local = await start();
          local.fault({ kind: 'status', status, on: 'writes', echo: true });
          await failure(local, local.directory.add(group, ana));
          await failure(local, local.directory.remove(other, ben));
        }),
      );

      test(
        'a rate limit says how long to wait',
        shows(['429'], async () => {
          const local = await start();
          local.rateLimit(20_000, 0);
          const failed = await failure(local, local.directory.add(group, ana));
          expect(failed).toMatchObject({ code: 'rate_limited', effect: 'none' });
          expect(failed.retryAfterMs).toBeGreaterThan(15_000);
          expect(failed.retryAfterMs).toBeLessThan(25_000);
        }),
      );

      test.each([-86_400_000, -60_000, 3_600_000])(
        'a rate limit whose reset is off by %i ms asks for a wait between a second and a minute and a half',
        shows(['clock-skewed reset'], async (skewMs) => {
          const local = await start();
          local.rateLimit(20_000, skewMs);
          const failed = await failure(local, local.directory.remove(other, ben));
          expect(failed.code).toBe('rate_limited');
          expect(failed.retryAfterMs).toBeGreaterThanOrEqual(1_000);
          expect(failed.retryAfterMs).toBeLessThanOrEqual(90_000);
        }),
      );

      test.each(
        Object.entries(harness.rateForms).flatMap(([kind, forms]) => forms.map((form) => [kind, form] as const)),
      )('a %s (%s) is a rate limit: nothing happened, and it says how long to wait', async (kind, form) => {
        const local = await start();
        local.limit(form);
        for (const call of [() => local.directory.add(group, ana), () => local.directory.remove(other, ben)]) {
          const failed = await failure(local, call());
          expect(failed).toMatchObject({ code: 'rate_limited', effect: 'none' });
          expect(failed.retryAfterMs).toBeGreaterThanOrEqual(1_000);
          expect(failed.retryAfterMs).toBeLessThanOrEqual(90_000);
        }
        expect(await failure(local, local.directory.isMember(other, ben))).toMatchObject({ code: 'rate_limited' });
        expect([local.holds(group, ana), local.holds(other, ben)]).toEqual([false, true]);
        table?.passed(title, [kind as Case]);
      });

      if (can('reserve for removals'))
        test(
          'removals go through when the budget for everything else is used up',
          shows(['reserve for removals'], async () => {
            const local = await start({ budget: 40 });
            let failed: DirectoryError | undefined;
            for (let n = 0; n < 60 && failed === undefined; n += 1) {
              await local.directory.add(group, ana).catch((error: DirectoryError) => {
                failed = error;
              });
            }
            expect(failed).toMatchObject({ code: 'rate_limited', effect: 'none' });
            expect(failed?.retryAfterMs).toBeGreaterThanOrEqual(1_000);
            const before = local.writes();
            await failure(local, local.directory.add(group, ben));
            expect(local.writes()).toBe(before);
            expect(await local.directory.remove(group, ana)).toBe('removed');
            expect(await local.directory.remove(other, ben)).toBe('removed');
            expect(local.holds(group, ana)).toBe(false);
          }),
        );
    });

    describe('lost answers', () => {
      test.each(['add', 'remove'] as const)(
        'a 500 leaves the effect of %s unknown, and is not sent again',
        shows(['5xx'], async (method) => {
          const local = await start();
          local.fault({ kind: 'status', status: 500, on: 'writes' });
          expect(await failure(local, local.directory[method](other, ben))).toMatchObject({
            code: 'unavailable',
            effect: 'unknown',
          });
          expect(local.writes()).toBe(1);
        }),
      );

      test(
        'a connection lost before the effect leaves it unknown',
        shows(['reset before the effect'], async () => {
          const local = await start();
          local.fault({ kind: 'reset-before', on: 'writes' });
          expect(await failure(local, local.directory.add(group, ana))).toMatchObject({
            code: 'unavailable',
            effect: 'unknown',
          });
          expect(local.holds(group, ana)).toBe(false);
          expect(local.writes()).toBe(1);
        }),
      );

      test(
        'a connection lost after the effect leaves it unknown, and the membership is really there',
        shows(['reset after the effect'], async () => {
          const local = await start();
          local.fault({ kind: 'reset-after', on: 'writes', times: 1 });
          expect(await failure(local, local.directory.add(group, ana))).toMatchObject({
            code: 'unavailable',
            effect: 'unknown',
          });
          expect(local.holds(group, ana)).toBe(true);
          expect(await local.directory.isMember(group, ana)).toBe(true);
        }),
      );

      test.each(['hang', 'hang-after', 'drip'] as const)(
        'a server that does %s ends at the deadline, unknown for a write',
        async (kind) => {
          const local = await start({ callDeadlineMs: SHORT_MS });
          local.fault({ kind, on: 'all' });
          const startedAt = performance.now();
          const [write, read] = await Promise.all([
            failure(local, local.directory.remove(other, ben)),
            failure(local, local.directory.isMember(other, ben)),
          ]);
          expect(performance.now() - startedAt).toBeLessThan(SHORT_MS + 600);
          expect(write).toMatchObject({ code: 'unavailable' });
          expect(read).toMatchObject({ code: 'unavailable', effect: 'none' });
        },
      );

      test.each(['hang', 'hang-after', 'drip'] as const)(
        'a write that the server meets with %s has an unknown effect',
        async (kind) => {
          const local = await start({ callDeadlineMs: SHORT_MS });
          local.fault({ kind, on: 'writes' });
          expect(await failure(local, local.directory.remove(other, ben))).toMatchObject({
            code: 'unavailable',
            effect: 'unknown',
          });
          expect(local.holds(other, ben)).toBe(kind === 'hang');
          table?.passed(title, [kind === 'drip' ? 'slow drip' : 'hung socket']);
        },
      );

      test.each(['add', 'remove'] as const)(
        'a page of HTML instead of an answer leaves the effect of %s unknown',
        shows(['malformed body'], async (method) => {
          const local = await start();
          local.fault({ kind: 'malformed', on: 'writes' });
          expect(await failure(local, local.directory[method](other, ben))).toMatchObject({
            code: 'unavailable',
            effect: 'unknown',
          });
        }),
      );

      test(
        'a page of HTML instead of a read is unavailable, never an absence',
        shows(['malformed body'], async () => {
          const local = await start();
          local.fault({ kind: 'malformed', on: 'reads' });
          expect(await failure(local, local.directory.isMember(group, ana))).toMatchObject({
            code: 'unavailable',
            effect: 'none',
          });
          expect(await failure(local, local.directory.listMembers(group))).toMatchObject({ code: 'unavailable' });
          expect(await failure(local, local.directory.findUser('ana@acme.example'))).toMatchObject({
            code: 'unavailable',
          });
        }),
      );

      test.each(['status', 'reset-before'] as const)('a read that fails once (%s) is tried once more', async (kind) => {
        const local = await start();
        local.fault({ kind, status: 503, on: 'reads', times: 1 });
        expect(await local.directory.isMember(other, ben)).toBe(true);
        local.fault({ kind, status: 503, on: 'reads', times: 2 });
        expect(await failure(local, local.directory.isMember(other, ben))).toMatchObject({ code: 'unavailable' });
      });

      test.each(['add', 'remove', 'isMember'] as const)(
        'a refused connection means that %s did nothing',
        shows(['nothing listens'], async (method) => {
          const local = await start();
          await local.stop();
          expect(await failure(local, local.directory[method](group, ana))).toMatchObject({
            code: 'unavailable',
            effect: 'none',
          });
        }),
      );

      test('a directory that comes back answers again', async () => {
        const local = await start();
        local.fault({ kind: 'down', on: 'all' });
        await failure(local, local.directory.add(group, ana));
        local.clear();
        expect(await local.directory.add(group, ana)).toBe('added');
      });
    });
  });
}
