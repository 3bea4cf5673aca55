/** Promise: what can be asked for and seen in chat can be asked for and seen by programs, by the same rules. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiWorld, type Human, startApi } from '../support/api.ts';

let world: ApiWorld;
beforeEach(async () => {
  world = await startApi();
});
afterEach(async () => {
  expect(world.errors).toEqual([]);
  await world.close();
});

const token = (who: Human) => world.credential(who, 'token', { scopes: ['requests:read', 'requests:write'] });
const WISH = { resource: 'db-prod', duration: '45m', reason: 'fix the stuck migration' };

async function asked(secret: string, more: object = {}) {
  const { status, body, headers } = await world.call('POST', '/requests', { secret, body: { ...WISH, ...more } });
  expect([status, body]).toEqual([201, expect.anything()]);
  const request = body['request'] as { id: string; [key: string]: unknown };
  return { id: request.id, request, body, headers };
}

describe('asking', () => {
  it('makes the request that a typed command makes, and says who is asked', async () => {
    const secret = await token('ana');
    const { id, request, body, headers } = await asked(secret);
    expect(body).toMatchObject({ did: 'requested', asked: ['Ben'] });
    expect(request).toMatchObject({
      state: 'pending',
      requester: { name: 'Ana' },
      entitlement: 'db-prod:read',
      durationSeconds: 2_700,
      reason: WISH.reason,
      breakGlass: false,
    });
    expect(headers.get('location')).toBe(`/api/v1/requests/${id}`);
    const [event] = await world.store.story(id);
    expect(event?.actor).toMatchObject({ kind: 'person', id: 'okta/ana', via: { kind: 'token' } });
  });

  it('is refused by the rules with their code, and has no effect', async () => {
    const secret = await token('ana');
    const refused = async (more: object) => {
      const { status, body } = await world.call('POST', '/requests', { secret, body: { ...WISH, ...more } });
      return [status, body['code']];
    };
    expect(await refused({ resource: 'db-prd' })).toEqual([422, 'unknown_resource']);
    expect(await refused({ role: 'root' })).toEqual([422, 'unknown_role']);
    expect(await refused({ duration: 'soon' })).toEqual([422, 'bad_duration']);
    expect(await refused({ duration: '9h' })).toEqual([422, 'duration_over_maximum']);
    expect(await refused({ reason: 'x' })).toEqual([422, 'reason_too_short']);
    expect(await world.store.list({ limit: 9 })).toEqual([]);
    const { id } = await asked(secret);
    const again = await world.call('POST', '/requests', { secret, body: WISH });
    expect([again.status, again.body]).toMatchObject([409, { code: 'already_pending', requestId: id }]);
    const other = await token('cat');
    const { status, body } = await world.call('POST', '/requests', { secret: other, body: WISH });
    expect([status, body['code']]).toEqual([403, 'not_eligible']);
  });
});

describe('looking', () => {
  it('shows one’s own, and others’ only to whoever may see them in chat', async () => {
    const { id } = await asked(await token('ana'));
    const look = async (who: Human) =>
      (await world.call('GET', `/requests/${id}`, { secret: await token(who) })).status;
    expect(await Promise.all([look('ana'), look('ben'), look('cat'), look('dan')])).toEqual([200, 200, 200, 403]);
    const missing = await world.call('GET', '/requests/R-9999', { secret: await token('ana') });
    expect([missing.status, missing.body['code']]).toEqual([404, 'unknown_id']);
  });

  it('gives the card that an approval needs to people who may answer, and to no machine', async () => {
    const { id } = await asked(await token('ana'));
    const cardFor = async (secret: string) => (await world.call('GET', `/requests/${id}`, { secret })).body['card'];
    expect(await cardFor(await world.credential('ben', 'cli'))).toEqual(expect.any(String));
    expect(await cardFor(await token('ben'))).toBeUndefined();
    expect(await cardFor(await world.credential('ana', 'cli'))).toBeUndefined();
  });

  it('lists page by page', async () => {
    const secret = await token('ana');
    for (let n = 0; n < 17; n++) {
      const { id } = await asked(secret);
      await world.call('POST', `/requests/${id}/cancel`, { secret });
    }
    const first = await world.call('GET', '/requests', { secret });
    const next = String(first.body['next']);
    const second = await world.call('GET', `/requests?cursor=${next}`, { secret });
    expect([first.body['items'], second.body['items']].map((items) => (items as []).length)).toEqual([15, 2]);
    expect(second.body['next']).toBeUndefined();
    const bad = await world.call('GET', '/requests?cursor=zzz', { secret });
    expect([bad.status, bad.body['code']]).toEqual([422, 'bad_cursor']);
  });
});

describe('waiting', () => {
  it('answers as soon as the request is decided', async () => {
    const secret = await token('ana');
    const { id } = await asked(secret);
    const waiting = world.call('GET', `/requests/${id}/wait?until=decided&timeout=60`, { secret });
    await world.call('POST', `/requests/${id}/cancel`, { secret });
    expect((await waiting).body).toMatchObject({ reached: true, final: true, request: { state: 'cancelled' } });
    const never = await world.call('GET', `/requests/${id}/wait?until=active`, { secret });
    expect(never.body).toMatchObject({ reached: false, final: true });
  });

  it('answers whoever waits when Hallpass stops', async () => {
    const secret = await token('ana');
    const { id } = await asked(secret);
    const waiting = world.call('GET', `/requests/${id}/wait?until=active&timeout=60`, { secret });
    world.stop();
    expect((await waiting).body).toMatchObject({ reached: false, final: false, request: { state: 'pending' } });
  });

  it('is bounded, for each credential', async () => {
    const secret = await token('ana');
    const { id } = await asked(secret);
    const all = Array.from({ length: 11 }, () =>
      world.call('GET', `/requests/${id}/wait?until=active&timeout=60`, { secret }),
    );
    const first = await Promise.race(all);
    expect([first.status, first.body['code']]).toEqual([429, 'too_many_calls']);
    world.stop();
    expect((await Promise.all(all)).filter(({ status }) => status === 200)).toHaveLength(10);
  });
});

describe('taking back', () => {
  it('is for one’s own', async () => {
    const { id } = await asked(await token('ana'));
    const other = await world.call('POST', `/requests/${id}/cancel`, { secret: await token('dan') });
    expect([other.status, other.body['code']]).toEqual([403, 'not_yours']);
    const own = await world.call('POST', `/requests/${id}/cancel`, { secret: await token('ana') });
    expect(own.body).toMatchObject({ did: 'cancelled', request: { id, state: 'cancelled' } });
  });
});

describe('answering', () => {
  async function shownTo(who: Human, id: string) {
    const secret = await world.credential(who, 'cli');
    const { body } = await world.call('GET', `/requests/${id}`, { secret });
    return { secret, card: String(body.card) };
  }

  it('takes the card that was shown, and a person who is signed in', async () => {
    const { id } = await asked(await token('ana'));
    const { secret, card } = await shownTo('ben', id);
    const approved = await world.call('POST', `/requests/${id}/approve`, { secret, body: { card, duration: '15m' } });
    expect([approved.status, approved.body]).toMatchObject([
      200,
      { did: 'approved', request: { state: 'approved', approvedSeconds: 900, grant: { state: 'adding' } } },
    ]);
    const [given] = (await world.store.story(id)).filter(({ kind }) => kind === 'approval.given');
    expect(given?.actor).toMatchObject({ id: 'okta/ben', via: { kind: 'cli' } });
  });

  it('takes nothing from a token, whatever its scope and whoever its person', async () => {
    const { id } = await asked(await token('ana'));
    const { card } = await shownTo('ben', id);
    const secret = await token('ben');
    const tried = [
      await world.call('POST', `/requests/${id}/approve`, { secret, body: { card } }),
      await world.call('POST', `/requests/${id}/deny`, { secret, body: {} }),
    ];
    expect(tried.map(({ status, body }) => [status, body.code])).toEqual([
      [403, 'person_needed'],
      [403, 'person_needed'],
    ]);
    expect((await world.store.request(id))?.request.state).toBe('pending');
  });

  it('takes no card of another request, and none from the requester', async () => {
    const { id } = await asked(await token('ana'));
    const other = await asked(await token('dan'));
    const { secret, card } = await shownTo('ben', other.id);
    const wrong = await world.call('POST', `/requests/${id}/approve`, { secret, body: { card } });
    expect([wrong.status, wrong.body.code]).toEqual([409, 'expired_button']);
    const anas = await world.credential('ana', 'cli');
    const right = (await shownTo('ben', id)).card;
    const own = await world.call('POST', `/requests/${id}/approve`, { secret: anas, body: { card: right } });
    expect([own.status, own.body.code]).toEqual([403, 'own_request']);
  });

  it('denies with a reason', async () => {
    const { id } = await asked(await token('ana'));
    const { secret } = await shownTo('ben', id);
    const { body } = await world.call('POST', `/requests/${id}/deny`, { secret, body: { reason: 'not tonight' } });
    expect(body).toMatchObject({ did: 'denied', request: { denial: { by: 'Ben', reason: 'not tonight' } } });
  });
});

describe('a grant', () => {
  async function granted() {
    const secret = await world.credential('ana', 'cli');
    const { id } = await asked(secret);
    const ben = await world.credential('ben', 'cli');
    const card = (await world.call('GET', `/requests/${id}`, { secret: ben })).body.card;
    await world.call('POST', `/requests/${id}/approve`, { secret: ben, body: { card } });
    return { id: id.replace('R-', 'G-'), secret };
  }

  it('is listed and shown, to whoever may see it', async () => {
    const { id, secret } = await granted();
    const mine = await world.call('GET', '/grants', { secret });
    expect(mine.body.items).toMatchObject([{ id, state: 'adding', checked: false, holder: { name: 'Ana' } }]);
    expect((await world.call('GET', `/grants/${id}`, { secret })).body).toEqual((mine.body.items as object[])[0]);
    const dan = await world.credential('dan', 'cli');
    expect((await world.call('GET', '/grants', { secret: dan })).body.items).toEqual([]);
    expect((await world.call('GET', `/grants/${id}`, { secret: dan })).status).toBe(403);
  });

  it('is given back by its holder alone, and revoked by responders alone, who say why', async () => {
    const { id, secret } = await granted();
    const dan = await world.credential('dan', 'cli');
    const cat = await world.credential('cat', 'token', { scopes: ['revoke'] });
    const refused = [
      await world.call('POST', `/grants/${id}/return`, { secret: dan }),
      await world.call('POST', `/grants/${id}/revoke`, { secret: dan, body: { reason: 'because' } }),
      await world.call('POST', `/grants/${id}/revoke`, { secret: cat, body: { reason: ' ' } }),
    ];
    expect(refused.map(({ body }) => body.code)).toEqual(['not_yours', 'not_a_responder', 'reason_missing']);
    const revoked = await world.call('POST', `/grants/${id}/revoke`, {
      secret: cat,
      body: { reason: 'incident 4711' },
    });
    expect(revoked.body).toMatchObject({
      did: 'revoked',
      request: { grant: { endReason: 'revoked', endedBy: 'Cat' } },
    });
    const late = await world.call('POST', `/grants/${id}/return`, { secret });
    expect([late.status, late.body.code]).toEqual([409, 'not_live']);
  });
});
