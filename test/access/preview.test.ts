import { describe, expect, test } from 'vitest';
import type { Catalog } from '../../src/access/catalog.ts';
import { parseDuration } from '../../src/access/grammar.ts';
import type { Entitlement } from '../../src/access/model.ts';
import { type People, PeopleError, type Store } from '../../src/access/ports.ts';
import {
  CHOICES_MAX,
  createPreviews,
  type Preview,
  previewLines,
  search,
  typedDuration,
} from '../../src/access/preview.ts';
import {
  ana,
  ben,
  broken,
  cardOf,
  cat,
  entitlement,
  group,
  hash,
  no,
  policy,
  request,
  requestFacts,
  requestRecord,
  T0,
} from '../support/builders.ts';

const account = { platform: 'slack', tenant: 'T1', id: 'U1' } as const;
const read = entitlement();
const admin = entitlement({ id: 'db-prod:admin', role: 'admin' });

function catalogOf(names: readonly string[], title = (name: string) => name): Catalog {
  const resources = Object.fromEntries(
    names.map((name) => [name, { name, title: title(name), defaultRole: 'read', roles: { read, admin } }]),
  );
  return { resources, admins: [], responders: [], viewers: [], timezone: 'UTC' };
}

function previews(
  more: {
    readonly catalog?: Catalog;
    readonly facts?: (of: Entitlement) => ReturnType<typeof requestFacts>;
    readonly identify?: People['identify'];
    readonly store?: Partial<Store>;
  } = {},
) {
  return createPreviews({
    people: { identify: more.identify ?? (async () => ana) } as unknown as People,
    store: (more.store ?? {}) as Store,
    clock: { now: () => T0, monotonic: () => 0 },
    ids: { hash, short: () => 'X', opaque: () => 'x', jitter: () => 0 },
    catalog: () => more.catalog ?? catalogOf(['db-prod']),
    facts: async (_person, of) => more.facts?.(of) ?? requestFacts({ entitlement: of }),
    refusalOf: (error) =>
      error instanceof PeopleError ? { code: 'not_recognised', why: error.code, message: error.message } : undefined,
  });
}

describe('searching what there is', () => {
  const catalog = catalogOf(['orders', 'my-db', 'db-prod', 'db', 'adb', 'billing'], (name) =>
    name === 'billing' ? 'Billing DB' : name,
  );
  const names = (typed: string) => search(catalog, typed).map(({ resource }) => resource);

  test('shows the name itself first, then its beginning, the beginning of a word, anywhere, and titles', () => {
    expect(names(' DB ')).toEqual(['db', 'db-prod', 'my-db', 'adb', 'billing']);
  });

  test('shows the first of all when nothing is typed, and what was probably meant when nothing fits', () => {
    expect(names('')).toEqual(['orders', 'my-db', 'db-prod', 'db', 'adb', 'billing']);
    expect(names('bilinlg')).toEqual(['billing']);
    expect(names('no such thing at all')).toEqual([]);
  });

  test('never shows more than a menu holds', () => {
    const many = catalogOf(Array.from({ length: 10_000 }, (_, at) => `svc-${at}`));
    expect(search(many, 'svc')).toHaveLength(CHOICES_MAX);
    expect(search(many, '')).toHaveLength(CHOICES_MAX);
    expect(search(many, 'svc-9999')).toEqual([{ resource: 'svc-9999', title: 'svc-9999' }]);
  });

  test('is for people of ours only', async () => {
    const identify = () => Promise.reject(new PeopleError('guest', 'Guests may not.'));
    expect(await previews({ identify }).choices(account, '')).toEqual([]);
  });
});

describe('a preview', () => {
  test('names who would be asked, and never the person themself', async () => {
    const facts = requestFacts({ approvers: { people: [ana, ben, cat], complete: true } });
    const { chosen } = await previews({ facts: () => facts }).form(account, { resource: 'db-prod' });
    expect(chosen?.preview).toMatchObject({ asked: [ben.name, cat.name], others: false, approvals: 1 });
    expect(chosen?.preview.refusal).toBeUndefined();
  });

  test('says what sending it would be answered with, whatever is still to be typed', async () => {
    const strict = entitlement({
      resource: 'x',
      policy: policy({ requesters: [group('dba')], reason: { minLength: 500 } }),
    });
    const judged = async (subject: typeof no) => {
      const facts = requestFacts({ entitlement: strict, subjects: [subject(group('dba'))] });
      const resources = { x: { name: 'x', title: 'x', defaultRole: 'read', roles: { read: strict } } };
      const asked = previews({ facts: () => facts, catalog: { ...catalogOf([]), resources } });
      const { chosen } = await asked.form(account, { resource: 'x' });
      if (chosen === undefined) throw new Error('nothing is shown');
      return chosen.preview.refusal;
    };
    expect(await judged(no)).toMatchObject({ code: 'not_eligible' });
    expect(await judged(broken)).toMatchObject({ code: 'cannot_check' });
    expect(await judged((subject) => ({ subject, holds: true }))).toBeUndefined();
    const waiting = requestFacts({ pending: [request()] });
    const { chosen } = await previews({ facts: () => waiting }).form(account, { resource: 'db-prod' });
    expect(chosen?.preview.refusal).toMatchObject({ code: 'already_pending' });
  });

  test('that cannot be looked up still shows the rule, and says that it could not', async () => {
    const facts = () => {
      throw new PeopleError('unavailable', 'Okta is away.');
    };
    const { chosen } = await previews({ facts }).form(account, { resource: 'db-prod' });
    expect(chosen?.preview).toMatchObject({ asked: [], refusal: { message: 'Okta is away.' }, approvals: 1 });
  });

  test('of a resource or role that went keeps what was typed', async () => {
    const typed = { duration: '1h', reason: 'fix it' };
    const gone = await previews().form(account, { resource: 'gone', ...typed });
    expect(gone).toMatchObject({ ...typed, missing: { code: 'unknown_resource' } });
    expect(gone.chosen).toBeUndefined();
    const role = await previews().form(account, { resource: 'db-prod', role: 'root', ...typed });
    expect(role).toMatchObject({ ...typed, missing: { code: 'unknown_role' }, chosen: { role: 'read' } });
  });

  test('has a stamp that changes with the policy and with the groups, and with nothing else', () => {
    const stampOf = (of: Entitlement) => {
      const catalog = catalogOf(['db-prod']);
      const [resource] = Object.values(catalog.resources);
      if (resource === undefined) throw new Error('no resource');
      return previews({
        catalog: { ...catalog, resources: { 'db-prod': { ...resource, roles: { read: of } } } },
      }).stamp('db-prod');
    };
    const before = stampOf(read);
    expect(stampOf({ ...read, title: 'Another title' })).toBe(before);
    expect(stampOf({ ...read, policy: { ...read.policy, hash: hash('other') } })).not.toBe(before);
    expect(stampOf({ ...read, groups: [{ directory: 'okta', group: 'another' }] })).not.toBe(before);
    expect(previews().stamp('gone')).toBeUndefined();
  });
});

describe('asking again', () => {
  const made = request();
  const store = {
    card: async (id: string) => (id === made.cardId ? cardOf(made) : undefined),
    request: async () => requestRecord(made),
  };

  test('fills in what the person asked for before', async () => {
    expect(await previews({ store }).again(account, made.cardId)).toEqual({
      resource: made.resource,
      role: made.role,
      duration: typedDuration(made.durationMs),
      reason: made.reason,
    });
  });

  test('is nothing for anybody else, nor for a button that stands for nothing', async () => {
    expect(await previews({ store, identify: async () => ben }).again(account, made.cardId)).toBeUndefined();
    expect(await previews({ store }).again(account, 'forged')).toBeUndefined();
  });

  test('writes a length as it is typed', () => {
    for (const ms of [1_000, 90_000, 5_400_000, 172_800_000, 93_784_000])
      expect(parseDuration(typedDuration(ms))).toBe(ms);
    expect(typedDuration(3_599_417)).toBe('59m59s');
    expect(typedDuration(3)).toBe('1s');
  });
});

test('a form says beforehand what ticket the reason must name, and that nobody is asked', () => {
  const preview: Preview = {
    groups: [{ directory: 'okta', group: 'prod-db-read' }],
    approvals: 1,
    approvers: ['on-call:dba'],
    asked: ['Ben'],
    others: false,
    defaultMs: 60_000,
    maxMs: 3_600_000,
    minReason: 10,
    ticket: 'INC-[0-9]+',
  };
  expect(previewLines(preview, 'UTC', '/access')).toContain('The reason must name a ticket of the form INC-[0-9]+.');
  expect(previewLines({ ...preview, automatic: true }, 'UTC', '/access')).toEqual([
    'Approved at once by its policy; nobody is asked.',
    'You are added to prod-db-read in okta, and taken out on time.',
    'The reason must name a ticket of the form INC-[0-9]+.',
  ]);
});
