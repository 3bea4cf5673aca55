/**
 * The home tabs that people have opened, kept as they are now. Only those opened since this process started are
 * remembered; after a restart the next opening draws it. Drawing waits behind nothing and holds up nothing: several
 * changes become one drawing, few pages are drawn at a time, and what cannot be drawn is drawn at the next opening.
 */
import type { AccountRef } from '../../access/model.ts';
import { type Clock, MessengerError, type Questions } from '../../access/ports.ts';
import { type Log, said } from './log.ts';
import { renderHome, renderHomeNote } from './render-home.ts';
import { slackCode, textField, type Web } from './web.ts';

export interface HomeParts {
  readonly web: Web;
  readonly questions: Questions;
  readonly clock: Clock;
  readonly logger: Log;
  readonly commandWord: string;
  /** For tests: how long changes are gathered, and the least between two drawings of one page. */
  readonly pace?: { readonly gatherMs: number; readonly betweenMs: number };
}

export interface Homes {
  /** Somebody opened their page: it is drawn at once. `delivery` is Slack's own id of the event. */
  opened(account: AccountRef, hash: string | undefined, delivery: string): void;
  /** What these people see has changed; whoever has no page open here is passed over. */
  changed(accounts: readonly AccountRef[]): void;
  /** Draws nothing more, and resolves when what is under way has ended. */
  stop(): Promise<void>;
}

interface Page {
  readonly account: AccountRef;
  hash: string | undefined;
  /** On the monotonic clock. */
  drawnAt: number | undefined;
  dueAt: number | undefined;
  drawing: boolean;
}

const PAGES_MAX = 500;
const DELIVERIES_MAX = 1_000;
/** One page whose look-ups are slow must not keep the others waiting. */
const DRAWN_AT_ONCE = 4;
/** Slack allows some hundred a minute for all pages together; nobody reads one that changes faster. */
const PACE = { gatherMs: 200, betweenMs: 1_000 } as const;
const PAUSE_MS = 10_000;

const NOT_LOOKED_UP =
  'Hallpass cannot look this up right now. Open this page again in a minute; your messages follow by themselves.';

export function createHomes({ web, questions, clock, logger, commandWord, pace = PACE }: HomeParts): Homes {
  const pages = new Map<string, Page>();
  const deliveries = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const underWay = new Set<Promise<void>>();
  let pausedUntil = 0;
  let stopped = false;

  function pageOf(account: AccountRef): Page {
    const fresh: Page = { account, hash: undefined, drawnAt: undefined, dueAt: undefined, drawing: false };
    const known = pages.get(account.id) ?? fresh;
    // Put in again, so that whoever has not looked for longest is forgotten first.
    pages.delete(account.id);
    pages.set(account.id, known);
    const oldest = pages.size > PAGES_MAX ? pages.keys().next() : undefined;
    if (oldest?.done === false) pages.delete(oldest.value);
    return known;
  }

  function due(page: Page, at: number): void {
    page.dueAt = Math.min(page.dueAt ?? at, at);
    arm();
  }

  function arm(): void {
    clearTimeout(timer);
    if (stopped || underWay.size >= DRAWN_AT_ONCE) return;
    const waiting = [...pages.values()].filter(({ drawing }) => !drawing);
    const next = Math.min(...waiting.map(({ dueAt }) => dueAt ?? Number.POSITIVE_INFINITY));
    if (next === Number.POSITIVE_INFINITY) return;
    timer = setTimeout(work, Math.max(0, Math.max(next, pausedUntil) - clock.monotonic()));
  }

  function work(): void {
    const now = clock.monotonic();
    const ready = [...pages.values()].filter((page) => !page.drawing && page.dueAt !== undefined && page.dueAt <= now);
    const [page] = ready.sort((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0));
    if (page !== undefined) {
      page.dueAt = undefined;
      page.drawing = true;
      const drawn = draw(page).finally(() => {
        page.drawing = false;
        underWay.delete(drawn);
        arm();
      });
      underWay.add(drawn);
    }
    arm();
  }

  async function draw(page: Page): Promise<void> {
    page.drawnAt = clock.monotonic();
    const view = await questions.home(page.account).then(
      (home) => renderHome(home, { commandWord }),
      (error: unknown) => {
        logger.error({ error: said(error) }, 'a home tab could not be looked up');
        return renderHomeNote(NOT_LOOKED_UP);
      },
    );
    const publish = (hash: string | undefined) =>
      web.call('views.publish', { user_id: page.account.id, view, ...(hash === undefined ? {} : { hash }) });
    try {
      const answer = await publish(page.hash).catch((error: unknown) => {
        // Another process drew it; what was looked up just now is newer than that.
        if (slackCode(error) === 'hash_conflict') return publish(undefined);
        throw error;
      });
      page.hash = textField(answer.view, 'hash');
    } catch (error) {
      if (error instanceof MessengerError && error.code === 'rate_limited') {
        pausedUntil = clock.monotonic() + (error.retryAfterMs ?? PAUSE_MS);
        page.dueAt = pausedUntil;
      }
      logger.warn({ error: said(error) }, 'a home tab could not be drawn');
    }
  }

  return {
    opened(account, hash, delivery) {
      // Slack sends an event again that it thinks was lost.
      if (stopped || deliveries.has(delivery)) return;
      if (deliveries.size >= DELIVERIES_MAX) deliveries.clear();
      deliveries.add(delivery);
      const page = pageOf(account);
      if (hash !== undefined) page.hash = hash;
      due(page, clock.monotonic());
    },
    changed(accounts) {
      const now = clock.monotonic();
      for (const account of accounts) {
        const page = account.platform === 'slack' ? pages.get(account.id) : undefined;
        if (page === undefined) continue;
        due(page, Math.max(now + pace.gatherMs, (page.drawnAt ?? 0) + pace.betweenMs));
      }
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await Promise.allSettled([...underWay]);
    },
  };
}
