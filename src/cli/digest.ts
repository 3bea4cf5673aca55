/** `hallpass digest`: what the digest says, and every line of it for a spreadsheet; on the host, changing nothing. */
import { reportText } from '../access/report.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { createDigests } from '../workers/digest.ts';
import { opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

const DAY_MS = 24 * 60 * 60_000;
const TEXT_MAX = 20_000;

/** Without the standing members: those are the directories' to tell, and this needs the database alone. */
export async function digestCommand(
  io: Out,
  settings: Settings,
  order: { readonly days: number; readonly csv: boolean },
  write: (text: string) => Promise<void>,
): Promise<number> {
  const { store, clock } = await opened(settings);
  try {
    const digests = createDigests({
      store,
      standing: async () => [],
      trail: () => store.chainHead(),
      catalog: () => settings.catalog,
      settings: () => undefined,
      clock,
      ids: randomIds(),
      log: { error: () => undefined, warn: () => undefined },
    });
    const now = clock.now();
    const period = { from: now - order.days * DAY_MS, to: now + 1 };
    if (order.csv) await write((await digests.details(period, undefined)).text);
    else {
      const report = await digests.digest(period, settings.catalog.timezone);
      io.say({ ok: true, ...report }, reportText(report, TEXT_MAX));
    }
    return EXIT.done;
  } finally {
    await store.close();
  }
}
