/** `hallpass expire` and `hallpass revoke`: ending access from the host, beside a living bot or without one. */
import { createHandler, requestIdOf } from '../access/handle.ts';
import { type People, PeopleError } from '../access/ports.ts';
import { refusalText } from '../access/words.ts';
import { sharedClock, systemClock } from '../clock.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { createLog } from '../log.ts';
import { openDirectories, openRecord } from '../main.ts';
import { createMetrics } from '../metrics.ts';
import { type ExpireReport, expireDue, type Outstanding } from '../workers/expire.ts';
import { EXIT, type Out } from './out.ts';

const STDERR = 2;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** With the time that all processes on this database mean. */
async function opened(settings: Settings) {
  const base = systemClock();
  const store = await openRecord(settings, base);
  const clock = sharedClock(base, store.serverTime);
  await clock.agree();
  return { store, clock };
}

export async function expireCommand(io: Out, settings: Settings, waitMs: number): Promise<number> {
  const { store, clock } = await opened(settings);
  try {
    const directories = openDirectories(settings, clock, createMetrics());
    const log = createLog(settings.env.logLevel, STDERR);
    const report = await expireDue({ store, directories, clock, ids: randomIds(), log }, waitMs, sleep);
    return sayReport(io, report, {});
  } finally {
    await store.close();
  }
}

export async function revokeCommand(
  io: Out,
  settings: Settings,
  order: { readonly id: string; readonly reason: string; readonly operator: string; readonly waitMs: number },
): Promise<number> {
  const { store, clock } = await opened(settings);
  try {
    const directories = openDirectories(settings, clock, createMetrics());
    const ids = randomIds();
    const catalog = () => settings.catalog;
    const handler = createHandler({ store, people: nobody, directories, catalog, clock, ids });
    const answer = await handler.handle({
      do: 'revoke',
      by: { operator: order.operator },
      target: { typed: order.id },
      reason: order.reason,
    });
    if (answer.say === 'refused') {
      const { reason, next } = refusalText(answer.refusal, settings.catalog.timezone, 'hallpass');
      io.say({ ok: false, refusal: answer.refusal }, `${reason} ${next}`);
      return EXIT.failed;
    }
    const log = createLog(settings.env.logLevel, STDERR);
    const report = await expireDue({ store, directories, clock, ids, log }, order.waitMs, sleep);
    const id = answer.say === 'done' ? answer.request.id : requestIdOf(order.id);
    const view = id === undefined ? undefined : await handler.view(id);
    return sayReport(io, report, view === undefined ? {} : { revoked: view.grant?.id, headline: view.headline });
  } finally {
    await store.close();
  }
}

/** Done only when everything that was owed is proven gone: what is not is said, and the exit code says so too. */
function sayReport(
  io: Out,
  report: ExpireReport,
  more: { readonly revoked?: string | undefined; readonly headline?: string },
): number {
  const { proven, outstanding } = report;
  const done = outstanding.length === 0;
  const line = ({ login, group, membership }: Outstanding) => `${login} from ${group} (${membership.directory})`;
  io.say({ ok: done, ...more, ...report }, [
    ...(more.revoked === undefined ? [] : [`${more.revoked}: ${more.headline ?? ''}`]),
    ...proven.map((one) => `Removed and checked: ${line(one)}`),
    ...outstanding.map(
      (one) =>
        `STILL A MEMBER, as far as is known: ${line(one)}${one.error === undefined ? '' : `: ${one.error} (${one.failures} failures)`}`,
    ),
    done
      ? proven.length === 0
        ? 'Nothing is owed: no membership that Hallpass added has to be removed.'
        : `Everything due is removed and checked: ${proven.length}.`
      : `${outstanding.length} still owed. Run this again, or leave it to the bot: it goes on trying.`,
  ]);
  return done ? EXIT.done : EXIT.failed;
}

/** The host acts as the operator: nobody has to be looked up, and nobody is. */
const refuse = () => Promise.reject(new PeopleError('unavailable', 'people are not looked up on the host'));
const nobody: People = { identify: refuse, holds: refuse, membersOf: refuse, userIn: refuse, group: refuse };
