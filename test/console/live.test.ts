/** Promise: whoever watches costs no more than what they read. */
import { html } from 'hono/html';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Person, Session } from '../../src/access/model.ts';
import { createLive } from '../../src/console/live.ts';
import { ana, T0 } from '../support/builders.ts';
import { sha256 } from '../support/open-store.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const session: Session = {
  id: 'S-1',
  version: 1,
  kind: 'web',
  secretHash: 'x',
  person: ana.id,
  personName: ana.name,
  scopes: [],
  createdAt: T0,
  createdBy: ana.name,
  expiresAt: T0 + 1,
};
const web = { session, person: ana as Person, csrf: 'x' };

test('a page that takes nothing of what it is told is let go, and one that reads is not', async () => {
  let drawn = 0;
  const live = createLive({
    draw: async () => [{ id: 'all', html: html`<p>${++drawn}</p>` }],
    still: async () => true,
    head: async () => 0,
    hash: sha256,
    failed: () => undefined,
  });
  const idle = live.open(web, '/console', '');
  const reads = live.open(web, '/console', '')?.body?.getReader();
  for (let commits = 0; commits < 80; commits += 1) {
    live.changed();
    await vi.advanceTimersByTimeAsync(250);
    await reads?.read();
  }
  expect(live.watched).toBe(1);
  await expect(idle?.text()).rejects.toThrow('was not read');
  await reads?.cancel();
  expect(live.watched).toBe(0);
});
