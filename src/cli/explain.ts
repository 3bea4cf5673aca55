/** `hallpass explain`: what asking would lead to, for anybody and at any time. It looks, and changes nothing. */
import { findEntitlement } from '../access/catalog.ts';
import type { DurationWish, Refusal } from '../access/command.ts';
import type { ExplainWish } from '../access/explain.ts';
import { cleanReason, parseWish } from '../access/grammar.ts';
import { createHandler } from '../access/handle.ts';
import { type Clock, DirectoryError, PeopleError, type Store } from '../access/ports.ts';
import { reportText } from '../access/report.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { openDirectories, trustedGroups } from '../main/opening.ts';
import { createMetrics } from '../metrics.ts';
import { createPeople } from '../people/identity.ts';
import { createIncidents } from '../people/incidents.ts';
import { createOnCall } from '../people/sources.ts';
import { sayRefused } from './emergency.ts';
import { opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

const TEXT_MAX = 20_000;

export interface ExplainOrder {
  /** Email of whoever would ask. */
  readonly as: string;
  /** `db-prod` or `db-prod:admin` */
  readonly entitlement: string;
  readonly duration?: string;
  readonly reason?: string;
  /** Epoch milliseconds; left out: now. */
  readonly at?: number;
}

export async function explainCommand(io: Out, settings: Settings, order: ExplainOrder): Promise<number> {
  const wish = wishOf(order);
  if ('code' in wish) return sayRefused(io, settings, wish);
  const [resource = '', role] = order.entitlement.split(':', 2);
  const entitlement = findEntitlement(settings.catalog, resource, role);
  if ('code' in entitlement) return sayRefused(io, settings, entitlement);
  const { store, clock } = await opened(settings);
  try {
    const then: Clock = order.at === undefined ? clock : { ...clock, now: () => order.at ?? clock.now() };
    const { people, handler } = lookingOnly(settings, store, then);
    const person = await people.named(order.as);
    if (person === undefined) {
      const error = `${settings.identityDirectory} has nobody with the email ${order.as}.`;
      io.say({ ok: false, error }, error);
      return EXIT.failed;
    }
    const { report, ...answer } = await handler.explain(person, entitlement, wish, 'hallpass');
    io.say({ ok: true, as: person.id, entitlement: entitlement.id, ...answer, report }, reportText(report, TEXT_MAX));
    return EXIT.done;
  } catch (error) {
    // What could not be looked up is the answer: a guess would be believed.
    if (!(error instanceof PeopleError) && !(error instanceof DirectoryError)) throw error;
    io.say({ ok: false, error: error.message }, `This cannot be told now: ${error.message}`);
    return EXIT.failed;
  } finally {
    await store.close();
  }
}

function wishOf({ duration, reason }: ExplainOrder): ExplainWish | Refusal {
  const asked: DurationWish | Refusal | undefined = duration === undefined ? undefined : parseWish(duration);
  if (asked !== undefined && 'code' in asked) return asked;
  const clean = reason === undefined ? undefined : cleanReason(reason);
  if (clean !== undefined && typeof clean !== 'string') return clean;
  return { ...(asked === undefined ? {} : { duration: asked }), ...(clean === undefined ? {} : { reason: clean }) };
}

/** The bot's own look-ups without a chat platform, over a record that takes nothing down. */
function lookingOnly(settings: Settings, store: Store, clock: Clock) {
  const metrics = createMetrics();
  const ids = randomIds();
  const directories = openDirectories(settings, clock, metrics);
  const asking = { clock, metrics, jitter: ids.jitter };
  const noChat = () => {
    throw new PeopleError('unavailable', 'who is in a chat group is not asked on the host');
  };
  const onCall = new Map(
    Object.entries(settings.onCall).map(([name, section]) => [
      name,
      createOnCall(name, section, { ...asking, accounts: noChat, zone: () => settings.catalog.timezone }),
    ]),
  );
  const looking = reading(store);
  const people = createPeople({
    accounts: {},
    directories,
    onCall,
    identityDirectory: settings.identityDirectory,
    settings: () => ({ ...settings.identity, people: settings.people }),
    store: looking,
    clock,
    metrics,
    trusted: () => trustedGroups(settings),
    disputed: async () => undefined,
  });
  const incidents = settings.incidents === undefined ? undefined : createIncidents(settings.incidents, asking);
  const handler = createHandler({
    store: looking,
    people,
    directories,
    catalog: () => settings.catalog,
    clock,
    ids,
    ...(incidents === undefined ? {} : { incidents }),
  });
  return { people, handler };
}

/** What would be pinned at first use is answered as if it had been, and forgotten. */
function reading<S extends Store>(store: S): S {
  return {
    ...store,
    commit: () => Promise.reject(new Error('explain changes nothing')),
    pinAccount: async (_account, person) => person,
    pinGroup: async (group) => (await store.pinnedGroup(group.directory, group.groupName)) ?? group,
    pin: async (pin) => (await store.pinned(pin.space, pin.name)) ?? pin.id,
  };
}
