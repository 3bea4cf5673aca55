/** Whoever has access revoked is signed out of the directory too, where the file says so. */
import { afterEach, expect, it } from 'vitest';
import { type Journey, PEOPLE, SECURITY, startJourney } from '../support/journey.ts';

const SECOND = 1_000;
const clearing = {
  config: (yaml: string) =>
    yaml.replace(/auth: \{ token: "\$\{OKTA_TOKEN\}" \} \}/, (auth) =>
      auth.replace(/ \}$/, ', clearSessionsOnRevoke: true }'),
    ),
};

let journey: Journey;
afterEach(() => journey.end());

const signedOut = (name: keyof typeof PEOPLE) => journey.okta.signedOut(PEOPLE[name].okta);

async function granted(): Promise<string> {
  const { id, card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
  await journey.approve('ben', card, 'ana');
  return id;
}

it('a revocation signs its holder out, and an end on time does not', async () => {
  journey = await startJourney('sqlite', clearing);
  const first = await granted();
  await journey.moveClock(31 * 60 * SECOND);
  await journey.told('ana', new RegExp(`${first}: ended.*checked`));
  expect(signedOut('ana')).toBe(0);

  const second = await granted();
  await journey.person('sam').slash(`revoke ${second} laptop stolen`);
  await journey.told('ana', new RegExp(`${second}: ended.*checked.*Signed out of okta`));
  expect([signedOut('ana'), signedOut('ben')]).toEqual([1, 0]);
  expect((await journey.story(second)).map(({ kind }) => kind)).toContain('grant.signed_out');
});

it('an Okta that does not do it is asked again until it has, and the removal is proven meanwhile', async () => {
  journey = await startJourney('sqlite', clearing);
  const id = await granted();
  journey.okta.control({ do: 'fault', fault: { kind: 'status', status: 403, method: 'DELETE', path: '/sessions' } });
  await journey.person('sam').slash(`revoke ${id} laptop stolen`);
  await journey.told('ana', new RegExp(`${id}: ended.*Removed from prod-db-read .*checked`));
  await journey.pass(10 * SECOND, 2 * SECOND);
  await journey.posted(SECURITY, /has not ended the sessions that it gave this person/);
  journey.okta.control({ do: 'clear' });
  await journey.pass(30 * SECOND, 5 * SECOND);
  await journey.told('ana', new RegExp(`${id}: ended.*Signed out of okta`));
  expect(signedOut('ana')).toBe(1);
});

it('without the key nobody is signed out', async () => {
  journey = await startJourney('sqlite');
  const id = await granted();
  await journey.person('sam').slash(`revoke ${id} laptop stolen`);
  await journey.told('ana', new RegExp(`${id}: ended.*checked`));
  await journey.idle();
  expect(signedOut('ana')).toBe(0);
});
