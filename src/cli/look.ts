/** `hallpass list` and `hallpass status`: finding ids while chat is away. Reads the database and changes nothing. */
import { freezeLines } from '../access/freeze.ts';
import { createHandler, type Handler, requestIdOf } from '../access/handle.ts';
import type { Instant } from '../access/model.ts';
import type { Store } from '../access/ports.ts';
import type { RequestView } from '../access/view.ts';
import { lineText } from '../access/words.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { sayRefused } from './emergency.ts';
import { hostPeople, opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

const SHOWN = 200;

export async function listCommand(io: Out, settings: Settings, which: 'active' | 'pending'): Promise<number> {
  return await looking(settings, async (store, handler, now) => {
    const records = await store.list(
      which === 'pending'
        ? { states: ['pending'], limit: SHOWN + 1 }
        : { states: ['approved'], liveGrants: true, limit: SHOWN + 1 },
    );
    const views = await Promise.all(records.slice(0, SHOWN).map(({ request }) => handler.view(request.id)));
    const items = views.filter((view): view is RequestView => view !== undefined);
    const { live } = await store.freezes();
    const frozen = freezeLines(live, now, settings.catalog.timezone);
    const none = which === 'pending' ? 'Nothing waits for an answer.' : 'Nobody holds access through Hallpass.';
    const more = records.length > SHOWN ? [`There are more than the newest ${SHOWN}.`] : [];
    io.say({ ok: true, items, frozen, more: records.length > SHOWN }, [
      ...frozen,
      ...(items.length === 0 ? [none] : items.map(lineText)),
      ...more,
    ]);
    return EXIT.done;
  });
}

export async function statusCommand(io: Out, settings: Settings, typed: string): Promise<number> {
  return await looking(settings, async (_store, handler) => {
    const id = requestIdOf(typed);
    const view = id === undefined ? undefined : await handler.view(id);
    if (view === undefined) return sayRefused(io, settings, { code: 'unknown_id', asked: typed });
    io.say({ ok: true, request: view }, [lineText(view), `Reason: ${view.reason || 'none given'}`]);
    return EXIT.done;
  });
}

async function looking(
  settings: Settings,
  look: (store: Store, handler: Handler, now: Instant) => Promise<number>,
): Promise<number> {
  const { store, clock } = await opened(settings);
  try {
    const directories = new Map();
    const catalog = () => settings.catalog;
    const people = hostPeople(settings, directories);
    return await look(
      store,
      createHandler({ store, people, directories, catalog, clock, ids: randomIds() }),
      clock.now(),
    );
  } finally {
    await store.close();
  }
}
