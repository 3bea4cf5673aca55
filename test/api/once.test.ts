/** Promise: a command that is sent again under its key acts once, and is answered as it was the first time. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiWorld, startApi } from '../support/api.ts';
import { HOUR } from '../support/builders.ts';

let world: ApiWorld;
let secret: string;
beforeEach(async () => {
  world = await startApi();
  secret = await world.credential('ana', 'token', { scopes: ['requests:read', 'requests:write'] });
});
afterEach(async () => {
  expect(world.errors).toEqual([]);
  await world.close();
});

const WISH = { resource: 'db-prod', reason: 'fix the stuck migration' };
const ask = (key: string, more: { readonly body?: object; readonly secret?: string } = {}) =>
  world.call('POST', '/requests', {
    secret: more.secret ?? secret,
    body: more.body ?? WISH,
    headers: { 'idempotency-key': key },
  });

describe('the same key', () => {
  it('is answered with the same words, and nothing is asked twice', async () => {
    const first = await ask('job-1');
    const id = (first.body.request as { id: string }).id;
    await world.call('POST', `/requests/${id}/cancel`, { secret });
    const again = await ask('job-1');
    expect([again.status, again.body]).toEqual([201, first.body]);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect([first, again].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true']);
    expect(await world.store.list({ limit: 9 })).toHaveLength(1);
  });

  it('for something else is refused, and does nothing', async () => {
    await ask('job-1');
    const other = await ask('job-1', { body: { ...WISH, role: 'admin' } });
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
    expect(await world.store.list({ limit: 9 })).toHaveLength(1);
  });

  it('of another credential is another key', async () => {
    await ask('job-1');
    const dans = await world.credential('dan', 'token', { scopes: ['requests:write'] });
    expect((await ask('job-1', { secret: dans })).status).toBe(201);
  });

  it('repeats a refusal of the rules, whatever holds by now', async () => {
    const first = await ask('job-1');
    const refused = await ask('job-2');
    await world.call('POST', `/requests/${(first.body.request as { id: string }).id}/cancel`, { secret });
    const again = await ask('job-2');
    expect([refused.body.code, again.status, again.body]).toEqual(['already_pending', 409, refused.body]);
  });

  it('may try again after a look-up that failed, since nothing was decided', async () => {
    world.lookUpsFail(1);
    const first = await ask('job-1');
    expect([first.status, first.body.code]).toEqual([503, 'cannot_check']);
    expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await ask('job-1')).status).toBe(201);
  });

  it('sent by two at the same moment acts once, and the slower hears the same or is told to wait', async () => {
    const answers = await Promise.all([ask('job-1'), ask('job-1')]);
    const [made] = answers.filter(({ status }) => status === 201);
    for (const { status, body } of answers)
      expect(status === 201 ? body : body.code).toEqual(status === 201 ? made?.body : 'idempotency_in_progress');
    expect((await ask('job-1')).status).toBe(201);
    expect(await world.store.list({ limit: 9 })).toHaveLength(1);
  });

  it('is forgotten after a day', async () => {
    await ask('job-1');
    world.clock.pass(25 * HOUR);
    await world.tidy();
    expect(await world.store.forgetAnswers(Number.MAX_SAFE_INTEGER)).toBe(0);
  });
});
