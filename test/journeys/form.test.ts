/**
 * The form from a bare `/access` to a request, through the local Slack: opened within a trigger's life, filled in with
 * who decides, and sent as the same request that could have been typed. What is wrong with it is said on its field.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Resource } from '../../src/access/catalog.ts';
import { dmsOf, messagesIn, textOf } from '../../src/sandbox/slack-reading.ts';
import type { SlackView } from '../../src/sandbox/slack-state.ts';
import { dialog, errorsIn, field, textOfView } from '../support/form.ts';
import { APPROVALS, EITHER, type Journey, PEOPLE, startJourney } from '../support/journey.ts';

const RULE = /1 approval by on-call:dba: Ben Okafor and Cat Lindqvist; at most 4 h\./;
const REASON = 'fix stuck migration';
type Name = keyof typeof PEOPLE;

let journey: Journey;
afterEach(() => journey.end());

/** The form of `/access`, as soon as it can be filled in. */
async function openForm(name: Name, text = ''): Promise<SlackView> {
  const reply = await journey.person(name).slash(text);
  expect([reply.status, reply.body]).toEqual([200, '']);
  return dialog(journey, name, /What do you need access to/);
}

async function choose(name: Name, view: SlackView, values: Record<string, string>, words = RULE): Promise<SlackView> {
  const action = values['hallpass:role'] === undefined ? 'hallpass:resource' : 'hallpass:role';
  await journey.person(name).choose(view, action, values);
  return dialog(journey, name, words, view);
}

async function chosenForm(name: Name, resource = 'db-prod'): Promise<SlackView> {
  return choose(name, await openForm(name), { 'hallpass:resource': resource });
}

function send(name: Name, view: SlackView, duration: string, reason: string) {
  return journey.person(name).submitView(view, { duration, reason });
}

async function requests() {
  return (await journey.bot.store.list({ limit: 100 })).map(({ request }) => request);
}

describe.each(EITHER)('the form, on %s', (dialect) => {
  it('leads from a bare /access to a request, with who decides shown before it is sent', async () => {
    journey = await startJourney(dialect);
    const empty = await openForm('ana');

    const offered = await journey.person('ana').suggest(empty, 'hallpass:resource', 'orders');
    expect(offered.body).toMatchObject({ options: [{ value: 'db-prod' }, { value: 'reports' }] });

    const read = await choose('ana', empty, { 'hallpass:resource': 'db-prod' });
    expect(textOfView(read)).toContain('When approved, you are added to prod-db-read in okta, and taken out on time.');
    expect(field(read, 'hallpass:role')).toMatchObject({ initial_option: { value: 'read' } });
    expect(textOfView(read)).toMatch(/30 min when left empty/);
    expect(textOfView(read)).toMatch(/At least 10 characters/);

    const admin = await choose('ana', read, { 'hallpass:role': 'admin' }, /prod-db-admin in okta, and/);
    const back = await choose('ana', admin, { 'hallpass:role': 'read' }, /prod-db-read in okta, and/);
    const reply = await send('ana', back, '1h', REASON);
    expect([reply.status, reply.body]).toEqual([200, '']);

    const card = await journey.posted(APPROVALS, /Access request R-.*waiting/);
    expect(textOf(card)).toContain(REASON);
    expect(await requests()).toMatchObject([
      { entitlement: 'db-prod:read', durationMs: 3_600_000, reason: REASON, state: 'pending' },
    ]);
    // The form was opened by a command, so its answer is where the command was typed.
    const said = await journey.slack.waitFor((state) => state.ephemerals.find((one) => one.user === PEOPLE.ana.slack));
    expect(textOf(said)).toMatch(/Requested\. R-.*Asked: Ben Okafor and Cat Lindqvist/s);
    await journey.approve('ben', card, 'ana');
    expect(journey.isMember('ana', 'read')).toBe(true);
  });

  it('sent twice acts once, pressed again or delivered again', async () => {
    journey = await startJourney(dialect);
    const view = await chosenForm('ana', 'reports');
    const [first, second] = await Promise.all([send('ana', view, '', REASON), send('ana', view, '', REASON)]);
    expect([first, second].map((reply) => errorsIn(reply).resource ?? 'sent').toSorted()).toEqual([
      expect.stringMatching(/sent already/),
      'sent',
    ]);
    expect(errorsIn(await first.again()).resource).toMatch(/sent already/);
    await journey.posted(APPROVALS, /waiting/);
    expect(await requests()).toHaveLength(1);
  });
});

describe('the form', () => {
  it('opens for `/access request` and for the shortcut too, and help stays where it was', async () => {
    journey = await startJourney('sqlite');
    await openForm('ana', 'request');
    expect((await journey.person('ben').shortcut('hallpass:request')).status).toBe(200);
    const view = await dialog(journey, 'ben', /What do you need access to/);
    expect(view.view.private_metadata ?? '').toBe('');
    expect(textOf(await (await journey.person('ana').slash('help')).said())).toContain('/access request');
  });

  it('opened by the shortcut says what came of it in a direct message', async () => {
    journey = await startJourney('sqlite');
    await journey.person('ana').shortcut('hallpass:request');
    const view = await choose('ana', await dialog(journey, 'ana', /What do you need/), {
      'hallpass:resource': 'reports',
    });
    await send('ana', view, '30m', REASON);
    await journey.told('ana', /Requested\. R-/);
  });

  it('says on the right field what is wrong, and stays open until it is right', async () => {
    journey = await startJourney('sqlite');
    const view = await chosenForm('ana');
    const refused = async (duration: string, reason: string) => errorsIn(await send('ana', view, duration, reason));
    for (const duration of ['soon', '-5m', '0m', '30', '1e9h', '5h', 'until 25:00', '30m please', '１h'])
      expect(Object.keys(await refused(duration, REASON)), duration).toEqual(['duration']);
    expect((await refused('5h', REASON)).duration).toMatch(/longer than this policy allows\. Ask for 4 h or less/);
    for (const reason of ['too short', '\u200b'.repeat(12), '          .', '\u202e\u202e\u202e\u202efix'])
      expect(Object.keys(await refused('30m', reason)), JSON.stringify(reason)).toEqual(['reason']);
    expect(Object.keys(await refused('soon', 'x'.repeat(1000)))).toEqual(['duration']);
    expect(await requests()).toEqual([]);
    expect((await send('ana', view, '30m', REASON)).body).toBe('');
    await journey.posted(APPROVALS, /waiting/);
    expect(await requests()).toHaveLength(1);
  });

  it('keeps what people type as text', async () => {
    journey = await startJourney('sqlite');
    await send('ana', await chosenForm('ana'), '', '<!channel> *now* <https://evil.example|docs> \u202etxet');
    const card = await journey.posted(APPROVALS, /waiting/);
    expect(card.text).not.toMatch(/<!channel>|<https/);
    expect((await requests())[0]?.reason).toBe('<!channel> *now* <https://evil.example|docs> txet');
  });

  it('shows somebody who may not ask why, before they have written a word, and refuses it when sent', async () => {
    journey = await startJourney('sqlite');
    const view = await choose('sam', await openForm('sam'), { 'hallpass:resource': 'db-prod' }, /Not now/);
    expect(textOfView(view)).toMatch(
      /You may not request db-prod:read\. It can be requested by group:okta\/engineering/,
    );
    expect(textOfView(view)).not.toContain('Ben Okafor');
    expect(errorsIn(await send('sam', view, '', REASON)).resource).toMatch(/You may not request/);
    expect(await requests()).toEqual([]);
  });

  it('warns that the same is waiting or held already', async () => {
    journey = await startJourney('sqlite');
    const { card } = await journey.ask('ana', 'db-prod 30m fix stuck migration');
    const waiting = await choose('ana', await openForm('ana'), { 'hallpass:resource': 'db-prod' }, /Not now/);
    expect(textOfView(waiting)).toMatch(/is waiting for approval/);
    await journey.approve('ben', card, 'ana');
    expect(errorsIn(await send('ana', waiting, '', REASON)).resource).toMatch(/You have this access already/);
  });

  it('belongs to each person alone: two fill theirs in at once', async () => {
    journey = await startJourney('sqlite');
    const [ana, dan] = await Promise.all([openForm('ana'), openForm('dan')]);
    const [one, other] = await Promise.all([
      choose('ana', ana, { 'hallpass:resource': 'db-prod' }),
      choose('dan', dan, { 'hallpass:resource': 'reports' }),
    ]);
    await Promise.all([send('ana', one, '1h', REASON), send('dan', other, '2h', 'monthly numbers')]);
    await journey.told('dan', /waiting/);
    await journey.told('ana', /waiting/);
    const made = (await requests()).map(({ requesterName, entitlement, durationMs }) => [
      requesterName,
      entitlement,
      durationMs,
    ]);
    expect(made.toSorted()).toEqual([
      ['Ana Sousa', 'db-prod:read', 3_600_000],
      ['Dan Ito', 'reports:read', 7_200_000],
    ]);
  });

  it('is not sent while it shows something else than what is chosen in it', async () => {
    journey = await startJourney('sqlite');
    const view = await chosenForm('ana');
    // The select already says reports, and Hallpass has not drawn that yet.
    const reply = await journey.person('ana').submitView(view, { 'hallpass:resource': 'reports', reason: REASON });
    expect(errorsIn(reply).resource).toMatch(/not shown yet/);
    const drawn = await dialog(journey, 'ana', RULE, view);
    expect(field(drawn, 'hallpass:resource')).toMatchObject({ initial_option: { value: 'reports' } });
    // What was typed is still there.
    expect(field(drawn, 'reason')).toMatchObject({ initial_value: REASON });
    expect((await send('ana', drawn, '', REASON)).body).toBe('');
  });

  it('sent after the policy changed asks to look again, and after the resource went says so', async () => {
    journey = await startJourney('sqlite');
    const stale = await chosenForm('ana');
    const gone = await chosenForm('dan', 'reports');
    await journey.restart({
      config: (yaml) => yaml.replace('max: 4h', 'max: 1h').replace(/ {2}reports:[\s\S]*$/, ''),
    });
    expect(errorsIn(await send('ana', stale, '2h', REASON)).resource).toMatch(/has changed since it was shown/);
    const drawn = await dialog(journey, 'ana', /at most 1 h\./, stale);
    expect(errorsIn(await send('ana', drawn, '2h', REASON)).duration).toMatch(/Ask for 1 h or less/);
    expect(errorsIn(await send('dan', gone, '', 'monthly numbers')).resource).toMatch(/no resource called “reports”/);
    expect((await send('ana', drawn, '1h', REASON)).body).toBe('');
  });

  it('goes on after a restart, and what was refused before it can be mended and sent', async () => {
    journey = await startJourney('sqlite');
    const view = await chosenForm('ana');
    expect(errorsIn(await send('ana', view, '', 'too short')).reason).toMatch(/too short/);
    await journey.restart();
    // Nobody here remembers that it was refused; a second press is a new try.
    expect(errorsIn(await send('ana', view, '', 'too short')).resource).toMatch(/sent already.*send it again/);
    expect(errorsIn(await send('ana', view, '', 'too short')).reason).toMatch(/too short/);
    expect((await send('ana', view, '', REASON)).body).toBe('');
    // Where `/access` was typed is not remembered either, so the answer comes as a direct message.
    await journey.told('ana', /Requested\. R-/);
    expect(await requests()).toHaveLength(1);
  });

  it('drawn by somebody else meanwhile tells the person to open it again', async () => {
    journey = await startJourney('sqlite');
    const view = await openForm('ana');
    await journey.slack.control({ do: 'settle_view', id: view.id, state: 'open', view: view.view });
    await journey.person('ana').choose(view, 'hallpass:resource', { 'hallpass:resource': 'db-prod' });
    const said = await journey.slack.waitFor((state) =>
      state.ephemerals.find((one) => /open it again/.test(textOf(one))),
    );
    expect(said.user).toBe(PEOPLE.ana.slack);
  });

  it('that Slack does not open, and a person it does not act for, are told so', async () => {
    journey = await startJourney('sqlite', {
      slackSeed: (seed) => ({
        ...seed,
        users: [...seed.users, { id: 'U0GUEST', name: 'guest', email: 'ana@example.com', is_restricted: true }],
      }),
    });
    await journey.slack.control({
      do: 'fault',
      method: 'views.open',
      kind: 'slack_error',
      error: 'expired_trigger_id',
    });
    const reply = await journey.person('ana').slash('');
    expect(textOf(await reply.said())).toMatch(/did not open the form.*type \/access request/s);

    const guest = journey.account('U0GUEST');
    const opened = await (await guest.slash('')).opened();
    const view = await journey.slack.waitFor((state) =>
      state.views.find((one) => one.id === opened.id && /Guest accounts/.test(textOfView(one))),
    );
    expect(view.view.submit).toBeUndefined();
    const empty = await openForm('ana');
    expect((await guest.suggest(empty, 'hallpass:resource', '')).body).toEqual({ options: [] });
  });

  it('never says that it was requested when it could not be recorded', async () => {
    journey = await startJourney('sqlite');
    const view = await chosenForm('ana');
    const full = () => Promise.reject(new Error('disk full'));
    Object.assign(journey.bot.store, { receive: full, commit: full });
    const errors = errorsIn(await send('ana', view, '', REASON));
    expect(errors.resource).toMatch(/cannot record this right now\. Nothing was done/);
    expect(messagesIn(journey.slack.state, APPROVALS)).toEqual([]);
    expect(dmsOf(journey.slack.state, PEOPLE.ana.slack)).toEqual([]);
  });

  it('finds one of 10,000 resources at once', async () => {
    journey = await startJourney('sqlite');
    // More than a file may hold; what the file says is a plain record.
    const resources = journey.settings.catalog.resources as Record<string, Resource>;
    const read = resources.reports?.roles.read;
    if (read === undefined) throw new Error('the sandbox has no reports');
    for (let at = 0; at < 10_000; at++) {
      const name = `svc-${at}`;
      const use = { ...read, id: `${name}:use`, resource: name, role: 'use' };
      resources[name] = { name, title: `Service number ${at}`, defaultRole: 'use', roles: { use } };
    }
    const view = await openForm('ana');
    const ana = journey.person('ana');
    await ana.suggest(view, 'hallpass:resource', '');
    const startedAt = performance.now();
    const found = (await ana.suggest(view, 'hallpass:resource', 'number 9999')).body as {
      options: { value: string }[];
    };
    const tookMs = performance.now() - startedAt;
    expect(found.options.map(({ value }) => value)).toEqual(['svc-9999']);
    expect(tookMs).toBeLessThan(200);
    const first = (await ana.suggest(view, 'hallpass:resource', '')).body as { options: object[] };
    expect(first.options).toHaveLength(100);
    await choose('ana', view, { 'hallpass:resource': 'svc-9999' });
  });
});
