/** `hallpass expire` and `hallpass revoke`: ending access from the host, beside a living bot or without one. */
import type { Refusal } from '../access/command.ts';
import { cleanReason } from '../access/grammar.ts';
import { createHandler, requestIdOf } from '../access/handle.ts';
import { refusalText } from '../access/words.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { createLog } from '../log.ts';
import { openDirectories } from '../main/opening.ts';
import { createMetrics } from '../metrics.ts';
import { type ExpireReport, expireDue, type Outstanding } from '../workers/expire.ts';
import { hostPeople, opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

const STDERR = 2;

export const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export async function expireCommand(io: Out, settings: Settings, waitMs: number): Promise<number> {
  const { store, clock } = await opened(settings);
  try {
    const directories = openDirectories(settings, clock, createMetrics());
    const log = createLog(settings.env.logLevel, STDERR);
    const report = await expireDue({ store, directories, clock, ids: randomIds(), log }, waitMs, sleep);
    return sayReport(io, report);
  } finally {
    await store.close();
  }
}

export async function revokeCommand(
  io: Out,
  settings: Settings,
  order: { readonly id: string; readonly reason: string; readonly operator: string; readonly waitMs: number },
): Promise<number> {
  const sayRefused = (refusal: Refusal): number => {
    const { reason, next } = refusalText(refusal, settings.catalog.timezone, 'hallpass');
    io.say({ ok: false, refusal }, `${reason} ${next}`);
    return EXIT.failed;
  };
  // What is typed on the host is held to the same as what is typed in chat.
  const reason = cleanReason(order.reason);
  if (typeof reason !== 'string') return sayRefused(reason);
  if (reason === '') return sayRefused({ code: 'reason_missing', minLength: 1 });
  const { store, clock } = await opened(settings);
  try {
    const directories = openDirectories(settings, clock, createMetrics());
    const ids = randomIds();
    const catalog = () => settings.catalog;
    const handler = createHandler({
      store,
      people: hostPeople(settings, directories),
      directories,
      catalog,
      clock,
      ids,
    });
    const answer = await handler.handle({
      do: 'revoke',
      by: { operator: order.operator },
      target: { typed: order.id },
      reason,
    });
    if (answer.say === 'refused') return sayRefused(answer.refusal);
    const log = createLog(settings.env.logLevel, STDERR);
    const id = answer.say === 'done' ? answer.request.id : requestIdOf(order.id);
    const look = async () => (id === undefined ? undefined : await handler.view(id));
    // What else is owed is not this command's business: it neither waits for it nor fails by it.
    const over = async () => (await look())?.grant?.state === 'ended';
    const report = await expireDue({ store, directories, clock, ids, log }, order.waitMs, sleep, over);
    const view = await look();
    const revoked = {
      id: view?.grant?.id ?? order.id,
      over: view?.grant?.state === 'ended',
      headline: view?.headline ?? '',
    };
    return sayReport(io, report, revoked);
  } finally {
    await store.close();
  }
}

/**
 * Done only when what was asked for is proven gone: everything that is due, or the one grant that was revoked. What is
 * not is said, and the exit code says so too.
 */
function sayReport(
  io: Out,
  report: ExpireReport,
  revoked?: { readonly id: string; readonly over: boolean; readonly headline: string },
): number {
  const { proven, outstanding } = report;
  const nothingOwed = outstanding.length === 0;
  const done = revoked?.over ?? nothingOwed;
  io.say(
    { ok: done, ...(revoked === undefined ? {} : { revoked: revoked.id, headline: revoked.headline }), ...report },
    [
      ...(revoked === undefined ? [] : [`${revoked.id}: ${revoked.headline}`]),
      ...proven.map((one) => `Removed and checked: ${line(one)}`),
      ...outstanding.map((one) => `STILL A MEMBER, as far as is known: ${stillOwed(one)}`),
      nothingOwed
        ? proven.length === 0
          ? 'Nothing is owed: no membership that Hallpass added has to be removed.'
          : `Everything due is removed and checked: ${proven.length}.`
        : `${outstanding.length} still owed. Run this again, or leave it to the bot: it goes on trying.`,
    ],
  );
  return done ? EXIT.done : EXIT.failed;
}

const line = ({ login, group, membership }: Outstanding) => `${login} from ${group} (${membership.directory})`;

export function stillOwed(one: Outstanding): string {
  return `${line(one)}${one.error === undefined ? '' : `: ${one.error} (${one.failures} failures)`}`;
}
