/**
 * Where the bot may speak: remembered from verified activities and from what Teams itself answered, written down only
 * when it has changed. Nothing here comes from what a person wrote.
 */
import type { AccountRef } from '../../access/model.ts';
import type { Clock, Place, PlaceStore } from '../../access/ports.ts';

const REMEMBERED = 5_000;
/** So often a place that has not changed is written down as seen. */
const SEEN_EVERY_MS = 24 * 60 * 60_000;

export interface Places {
  person(account: AccountRef): Promise<Place | undefined>;
  tenant(tenant: string): Promise<Place | undefined>;
  learnPerson(account: AccountRef, what: Learnt): Promise<void>;
  learnTenant(tenant: string, serviceUrl: string): Promise<void>;
  /** The bot may not write to this person any more; until it hears from them again. */
  closePerson(account: AccountRef): Promise<void>;
  /** Where a person was last seen in this process: there Teams can be asked about them. */
  seenIn(account: AccountRef): string | undefined;
}

export interface Learnt {
  readonly serviceUrl: string;
  readonly user?: string;
  readonly name?: string;
  readonly zone?: string;
  /** Their own conversation with the bot; opens it again. */
  readonly personal?: string;
  /** Any conversation they were seen in. */
  readonly seenIn?: string;
}

export function createPlaces({ store, clock }: { readonly store: PlaceStore; readonly clock: Clock }): Places {
  const known = new Map<string, Place>();
  const seen = new Map<string, string>();

  async function place(id: string): Promise<Place | undefined> {
    const kept = known.get(id);
    if (kept !== undefined) return kept;
    const found = await store.place(id);
    if (found !== undefined) remember(known, id, found);
    return found;
  }

  async function put(next: Place): Promise<void> {
    const before = await place(next.id);
    if (before !== undefined && same(before, next) && next.seenAt - before.seenAt < SEEN_EVERY_MS) return;
    await store.putPlace(next);
    remember(known, next.id, next);
  }

  return {
    person: (account) => place(personId(account)),
    tenant: (tenant) => place(tenantPlace(tenant)),
    seenIn: (account) => seen.get(personId(account)),
    async learnPerson(account, { serviceUrl, user, name, zone, personal, seenIn }) {
      const id = personId(account);
      if (seenIn !== undefined) remember(seen, id, seenIn);
      const { closedAt, ...before } = (await place(id)) ?? { id };
      await put({
        ...before,
        // Only from their own conversation is it known that it is open again.
        ...(closedAt === undefined || personal !== undefined ? {} : { closedAt }),
        id,
        serviceUrl,
        seenAt: clock.now(),
        ...(user === undefined ? {} : { user }),
        ...(name === undefined || name === '' ? {} : { name: name.slice(0, 200) }),
        ...(zone === undefined ? {} : { zone }),
        ...(personal === undefined ? {} : { conversation: personal }),
      });
    },
    learnTenant: (tenant, serviceUrl) => put({ id: tenantPlace(tenant), serviceUrl, seenAt: clock.now() }),
    async closePerson(account) {
      const before = await place(personId(account));
      // What was once their conversation may not be it when the app is added again.
      if (before !== undefined) {
        const { conversation: _gone, ...rest } = before;
        await put({ ...rest, closedAt: clock.now() });
      }
    },
  };
}

function personId({ tenant, id }: AccountRef): string {
  return `teams:person:${tenant}/${id}`;
}

function tenantPlace(tenant: string): string {
  return `teams:tenant:${tenant}`;
}

function same(a: Place, b: Place): boolean {
  const keys = ['serviceUrl', 'conversation', 'user', 'name', 'zone'] as const;
  return keys.every((key) => a[key] === b[key]) && (a.closedAt === undefined) === (b.closedAt === undefined);
}

/** The one put in first is the first to be forgotten; the store still knows it. */
function remember<T>(map: Map<string, T>, id: string, value: T): void {
  map.delete(id);
  map.set(id, value);
  const oldest = map.size > REMEMBERED ? map.keys().next() : undefined;
  if (oldest?.done === false) map.delete(oldest.value);
}
