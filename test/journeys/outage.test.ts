/**
 * The sandbox's story of a directory that is away when access ends: each directory's word is its local server's own
 * state, the bot is a process of its own, and its clock is moved.
 */
import { expect, it } from 'vitest';
import { runOutage } from '../../src/sandbox/outage.ts';

it('an Okta away for ten minutes keeps Google on time, is told to security, and ends in a proven removal', {
  timeout: 60_000,
}, async () => {
  const { ok, steps } = await runOutage('okta', { logLevel: 'fatal' });
  expect(steps.filter((step) => !step.ok)).toEqual([]);
  expect(ok).toBe(true);
  const at = (what: RegExp) => steps.find((step) => what.test(step.what));
  expect(at(/time is over/)?.directories).toMatchObject([{ members: ['Ana Sousa'] }, { members: [] }]);
  expect(at(/told to security/)?.seen).toMatch(/removal keeps failing/);
  expect(at(/Ana asks: nobody/)?.seen).toMatch(/Trying again until it is gone/);
  expect(at(/answers again/)?.seen).toMatch(/checked\./);
});
