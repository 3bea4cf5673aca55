/**
 * `hallpass revoke` of a person, a resource or everything: the same preview, the same trail and the same work as from
 * chat, for when chat is down. Beside a living bot or without one: whoever holds a lease acts, the other waits.
 */
import { resourceNamed } from '../access/catalog.ts';
import type { Aim, Command, Refusal } from '../access/command.ts';
import { cleanReason, parseAim } from '../access/grammar.ts';
import { createHandler } from '../access/handle.ts';
import type { Store } from '../access/ports.ts';
import { type ReportView, reportText } from '../access/report.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { createLog } from '../log.ts';
import { openDirectories } from '../main/opening.ts';
import { createMetrics } from '../metrics.ts';
import { expireDue } from '../workers/expire.ts';
import { sayRefused } from './emergency.ts';
import { hostPeople, opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

const STDERR = 2;
const REPORT_MAX = 20_000;

export interface ManyOrder {
  readonly id: string;
  readonly reason: string;
  readonly operator: string;
  readonly waitMs: number;
  readonly grantedWithinMs?: number;
  readonly except: readonly string[];
  readonly yes: boolean;
}

/** Everything but the id of one grant. */
export function isManyMeant(settings: Settings, { id, grantedWithinMs, except }: ManyOrder): boolean {
  if (grantedWithinMs !== undefined || except.length > 0) return true;
  if (/^[rg]-/i.test(id)) return false;
  const aim = parseAim(id, undefined);
  return 'code' in aim || !('resource' in aim) || resourceNamed(settings.catalog, aim.resource) !== undefined;
}

export async function revokeManyCommand(io: Out, settings: Settings, order: ManyOrder): Promise<number> {
  const command = commandOf(order);
  if ('code' in command) return sayRefused(io, settings, command);
  const { store, clock } = await opened(settings);
  try {
    const directories = openDirectories(settings, clock, createMetrics());
    const ids = randomIds();
    const people = hostPeople(settings, directories);
    const catalog = () => settings.catalog;
    const handler = createHandler({ store, people, directories, catalog, clock, ids });
    const preview = await handler.handle(command);
    if (preview.say === 'refused') return sayRefused(io, settings, preview.refusal);
    if (preview.say !== 'revocation') throw new Error(`a preview was answered with ${preview.say}`);
    if (!order.yes) {
      io.say({ ok: false, preview: preview.report }, [
        ...lines(preview.report),
        'Nothing was ended. Add --yes to do it.',
      ]);
      return EXIT.failed;
    }
    const { id } = preview;
    const confirmed = await handler.handle({ do: 'confirm-revocation', by: { operator: order.operator }, id });
    if (confirmed.say === 'refused') return sayRefused(io, settings, confirmed.refusal);
    const log = createLog(settings.env.logLevel, STDERR);
    const over = async () => (await left(store, id)) === 0;
    const until = clock.monotonic() + order.waitMs;
    do {
      const waitMs = Math.max(0, until - clock.monotonic());
      await expireDue({ store, directories, clock, ids, log }, waitMs, sleep, over);
    } while (!(await over()) && clock.monotonic() < until);
    const done = await over();
    const report = await handler.revocation(id);
    io.say({ ok: done, revocation: id, report: report ?? null }, [
      ...(report === undefined ? [] : lines(report)),
      ...(done ? [] : ['Not all of it is proven over yet. The bot goes on; without one, run hallpass expire --due.']),
    ]);
    return done ? EXIT.done : EXIT.failed;
  } finally {
    await store.close();
  }
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function left(store: Store, id: string): Promise<number> {
  const grants = await store.grants((await store.revocation(id))?.grants ?? []);
  return grants.filter(({ state }) => state !== 'ended').length;
}

function commandOf(order: ManyOrder): (Command & { do: 'revoke-all' }) | Refusal {
  const aim = parseAim(order.id, undefined);
  if ('code' in aim) return aim;
  const except: Aim[] = [];
  for (const text of order.except) {
    const one = parseAim(text, undefined);
    if ('code' in one) return one;
    if (!('email' in one)) return { code: 'unknown_person', asked: text };
    except.push(one);
  }
  // What is typed on the host is held to the same as what is typed in chat.
  const reason = cleanReason(order.reason);
  if (typeof reason !== 'string') return reason;
  if (reason === '') return { code: 'reason_missing', minLength: 1 };
  const { grantedWithinMs } = order;
  return {
    do: 'revoke-all',
    by: { operator: order.operator },
    aim,
    except,
    reason,
    ...(grantedWithinMs === undefined ? {} : { grantedWithinMs }),
  };
}

function lines(report: ReportView): readonly string[] {
  return reportText(report, REPORT_MAX).split('\n');
}
