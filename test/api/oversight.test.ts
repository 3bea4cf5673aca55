/** Promise: responders end and freeze through the API, and those who answer for access see what they see in chat. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Finding } from '../../src/access/activity.ts';
import type { Review } from '../../src/access/model.ts';
import { type ApiWorld, type Human, startApi } from '../support/api.ts';
import { group, HOUR, T0 } from '../support/builders.ts';

let world: ApiWorld;
beforeEach(async () => {
  world = await startApi();
});
afterEach(async () => {
  expect(world.errors).toEqual([]);
  await world.close();
});

const signedIn = (who: Human) => world.credential(who, 'cli');

async function granted(who: Human): Promise<string> {
  const secret = await signedIn(who);
  const { body } = await world.call('POST', '/requests', {
    secret,
    body: { resource: 'db-prod', reason: 'fix the stuck migration' },
  });
  const { id } = body.request as { id: string };
  const ben = await signedIn('ben');
  const { card } = (await world.call('GET', `/requests/${id}`, { secret: ben })).body;
  await world.call('POST', `/requests/${id}/approve`, { secret: ben, body: { card } });
  return id.replace('R-', 'G-');
}

describe('a revocation of many', () => {
  const WISH = { scope: { resource: 'db-prod' }, reason: 'incident 4711' };

  it('is previewed, confirmed by whoever previewed it, and told how far it is', async () => {
    const grants = [await granted('ana'), await granted('dan')];
    const secret = await world.credential('cat', 'token', { scopes: ['revoke'] });
    const preview = await world.call('POST', '/revocations', { secret, body: WISH });
    expect([preview.status, preview.body]).toMatchObject([201, { state: 'previewed', total: 2, over: 0, by: 'Cat' }]);
    expect((preview.body.grants as { id: string }[]).map(({ id }) => id).sort()).toEqual(grants.sort());
    const at = String(preview.headers.get('location')).replace('/api/v1', '');
    const confirmed = await world.call('POST', `${at}/confirm`, { secret });
    expect([confirmed.status, confirmed.body.state]).toEqual([200, 'running']);
    expect((await world.call('GET', at, { secret })).body).toEqual(confirmed.body);
    const other = await world.call('GET', at, { secret: await signedIn('dan') });
    expect([other.status, other.body.code]).toEqual([403, 'not_a_responder']);
  });

  it('is for responders, and spares those it is told to spare', async () => {
    const [, dans] = [await granted('ana'), await granted('dan')];
    const no = await world.call('POST', '/revocations', { secret: await signedIn('ana'), body: WISH });
    expect([no.status, no.body.code]).toEqual([403, 'not_a_responder']);
    const sparing = { ...WISH, except: ['ana@acme.com'] };
    const { body } = await world.call('POST', '/revocations', { secret: await signedIn('cat'), body: sparing });
    expect(body).toMatchObject({ total: 1, except: ['Ana'], grants: [{ id: dans }] });
  });
});

describe('a freeze', () => {
  it('is put by responders, keeps requests out, and is lifted by a person alone', async () => {
    const secret = await world.credential('cat', 'token', { scopes: ['freeze', 'requests:read'] });
    const scope = { resource: 'db-prod' };
    const frozen = await world.call('POST', '/freezes', { secret, body: { scope, reason: 'incident 4711' } });
    expect([frozen.status, frozen.body]).toMatchObject([
      201,
      { did: 'frozen', freeze: { scope: { name: 'db-prod' } } },
    ]);
    expect((await world.call('GET', '/freezes', { secret })).body.items).toHaveLength(1);
    const ana = await signedIn('ana');
    const asked = await world.call('POST', '/requests', {
      secret: ana,
      body: { ...scope, reason: 'fix it, it is late' },
    });
    expect([asked.status, asked.body.code]).toEqual([409, 'frozen']);
    const machine = await world.call('POST', '/freezes/lift', { secret, body: { scope } });
    expect([machine.status, machine.body.code]).toEqual([403, 'person_needed']);
    const lifted = await world.call('POST', '/freezes/lift', { secret: await signedIn('cat'), body: { scope } });
    expect(lifted.body).toMatchObject({ did: 'unfrozen', freeze: { liftedBy: 'Cat' } });
  });

  it('of another person is nobody else’s business', async () => {
    const body = { scope: { person: 'ana@acme.com' }, reason: 'account taken over' };
    await world.call('POST', '/freezes', { secret: await signedIn('cat'), body });
    const seen = async (who: Human) =>
      ((await world.call('GET', '/freezes', { secret: await signedIn(who) })).body.items as object[]).length;
    expect([await seen('ana'), await seen('dan'), await seen('cat')]).toEqual([1, 0, 1]);
  });
});

describe('the trail', () => {
  it('is read page by page, and goes on where one was', async () => {
    await granted('ana');
    const secret = await world.credential('dan', 'token', { scopes: ['audit:read'] });
    const first = await world.call('GET', '/audit/events?limit=3', { secret });
    const rest = await world.call('GET', `/audit/events?cursor=${String(first.body.next)}`, { secret });
    const seqs = [first, rest].flatMap(({ body }) => (body.items as { seq: number }[]).map(({ seq }) => seq));
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    expect([first.body.more, rest.body.more]).toEqual([true, false]);
    const none = await world.call('GET', `/audit/events?cursor=${String(rest.body.next)}`, { secret });
    expect(none.body).toEqual({ items: [], next: rest.body.next, more: false });
  });

  it('is for responders who are signed in, and for tokens that were made for it', async () => {
    const read = async (secret: string) => (await world.call('GET', '/audit/events', { secret })).status;
    expect(await read(await signedIn('cat'))).toBe(200);
    expect(await read(await signedIn('dan'))).toBe(403);
    expect(await read(await world.credential('cat', 'token', { scopes: ['requests:read'] }))).toBe(403);
  });
});

describe('what was done under a grant', () => {
  it('is for its holder and for those who audit', async () => {
    const id = await granted('ana');
    const look = async (who: Human) =>
      (await world.call('GET', `/grants/${id}/activity`, { secret: await signedIn(who) })).status;
    expect([await look('ana'), await look('cat'), await look('dan')]).toEqual([200, 200, 403]);
    const findings = await world.call('GET', '/findings', { secret: await signedIn('cat') });
    expect(findings.body).toEqual({ items: [] });
  });

  it('tells its holder of a finding once security has asked them about it', async () => {
    const grantId = await granted('ana');
    const finding: Finding = {
      id: 'F-2222',
      version: 1,
      state: 'open',
      rule: 'bulk-export',
      title: 'Much was taken out at once',
      level: 'high',
      grantId,
      requestId: grantId.replace('G-', 'R-'),
      holder: 'okta/ana',
      holderName: 'Ana',
      entitlement: 'db-prod:read',
      count: 1,
      examples: [],
      firstAt: T0,
      lastAt: T0,
      createdAt: T0,
    };
    const seen = async (who: Human) => {
      const { body } = await world.call('GET', `/grants/${grantId}/activity`, { secret: await signedIn(who) });
      return (body.findings as object[]).length;
    };
    await world.store.commit({ changes: [{ put: 'finding', row: finding }] });
    expect([await seen('ana'), await seen('cat')]).toEqual([0, 1]);
    const asked = { ...finding, version: 2, state: 'asked' as const, askedBy: 'Cat', askedAt: T0 };
    await world.store.commit({ changes: [{ put: 'finding', row: asked, was: 1 }] });
    expect(await seen('ana')).toBe(1);
  });
});

describe('a review', () => {
  it('is not signed off by somebody who is frozen: their account may be another’s', async () => {
    const grantId = await granted('ana');
    const review: Review = {
      id: 'V',
      version: 1,
      state: 'open',
      why: 'policy',
      grantId,
      requestId: grantId.replace('G-', 'R-'),
      holder: 'okta/ana',
      holderName: 'Ana',
      entitlement: 'db-prod:read',
      durationMs: HOUR,
      reason: 'fix the stuck migration',
      reviewers: [group('security')],
      tell: [],
      createdAt: T0,
      dueAt: T0 + HOUR,
    };
    await world.store.commit({ changes: [{ put: 'review', row: review }] });
    const cat = await signedIn('cat');
    const scope = { person: 'cat@acme.com' };
    await world.call('POST', '/freezes', { secret: cat, body: { scope, reason: 'laptop stolen' } });
    const say = async (body: object) => await world.call('POST', `/reviews/${grantId}`, { secret: cat, body });
    expect((await say({ verdict: 'sign_off' })).body).toMatchObject({ code: 'frozen' });
    expect((await say({ verdict: 'question', note: 'this was not me' })).body).toMatchObject({ state: 'questioned' });
  });
});

describe('directories and reviews', () => {
  it('are shown to those who answer for them', async () => {
    const cat = await signedIn('cat');
    const { body } = await world.call('GET', '/directories', { secret: cat });
    expect(body).toEqual({ items: [{ name: 'okta', state: 'answers', failing: 0 }], removals: [], more: false });
    expect((await world.call('GET', '/directories', { secret: await signedIn('ana') })).status).toBe(403);
    expect((await world.call('GET', '/reviews', { secret: cat })).body).toEqual({ items: [] });
  });
});
