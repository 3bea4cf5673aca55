/**
 * The daily digest. node-cron rings at the configured time, and the sweep looks every minute, so that a digest whose
 * time passed while nothing ran is late and not lost. However many processes ring, one makes it: the day's row, the
 * message owed and the event in the trail are one commit, and the row can be put only once.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { schedule } from 'node-cron';
import type { ActivityStore } from '../access/activity.ts';
import type { Catalog } from '../access/catalog.ts';
import { event } from '../access/decision.ts';
import { unusedOf } from '../access/digest-control.ts';
import { DIGEST_CSV_HEAD, digestCsvLine } from '../access/digest-csv.ts';
import {
  DIGEST_LINES,
  type DigestActivity,
  type DigestView,
  digestView,
  LATE_AFTER_MS,
  UNSIGNED_MOST,
} from '../access/digest-view.ts';
import type { AccountRef, Change, Entitlement, Instant } from '../access/model.ts';
import {
  type Clock,
  type DigestStore,
  type Ids,
  type Period,
  type Reports,
  type SharedFile,
  StaleStateError,
  type Store,
  type TrailSeal,
} from '../access/ports.ts';
import { groupsOf } from '../access/queries.ts';
import { handDetails, showDigest } from '../access/security-digest.ts';
import { lastTimeOfDay } from '../access/zone.ts';
import type { LoopLog } from './loop.ts';

export interface DigestSettings {
  readonly hour: number;
  readonly minute: number;
  /** Where it is posted, at most once for each platform. */
  readonly channels: readonly { readonly platform: AccountRef['platform']; readonly conversation: string }[];
}

export interface DigestParts {
  readonly store: DigestStore & Pick<Store, 'commit' | 'freezes' | 'openReviews'>;
  readonly standing: Reports['standing'];
  /** What people did; absent: no activity is read here. */
  readonly activity?: Pick<ActivityStore, 'findingsSince' | 'openFindings' | 'windowsEnded' | 'uses'>;
  /** Sources that do not answer now. */
  readonly activityFailing?: () => readonly string[];
  /** Where the trail ends, and with `verify` whether all of it holds. Left out: the digest does not say. */
  readonly trail?: (verify: boolean) => Promise<TrailSeal>;
  readonly catalog: () => Catalog;
  /** Absent: nothing is scheduled. */
  readonly settings: () => DigestSettings | undefined;
  readonly clock: Clock;
  readonly ids: Pick<Ids, 'opaque'>;
  readonly log: LoopLog;
}

export interface Digests extends Reports {
  /** Every line of a digest as a file; `day` names it. */
  details(period: Period, day: string | undefined): Promise<SharedFile>;
  /** Makes what is due. Never rejects. One at a time. */
  ring(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** Far more than anybody reads; the title says when it is not all. */
const DETAILS_MOST = 50_000;
const DETAILS_PAGE = 500;
const FINDINGS_MOST = 1_000;
const WINDOWS_MOST = 5_000;

/** What was decided just before the time is committed by then, and so belongs to this digest and not to none. */
const SETTLED_AFTER_MS = 5_000;

export function createDigests(parts: DigestParts): Digests {
  const { store, standing, catalog, clock, log } = parts;
  let running: Promise<void> | undefined;
  let task: ReturnType<typeof schedule> | undefined;
  let committing: Promise<void> | undefined;
  let stopped = false;

  async function draw(period: Period, zone: string, dueAt?: Instant): Promise<DigestView> {
    const entitlements = Object.values(catalog().resources).flatMap((resource) => Object.values(resource.roles));
    // Reading all of it takes seconds once it is long: done for the day's digest, not for whoever asks in between.
    const scheduled = dueAt !== undefined;
    const [facts, members, { live: freezes }, trail, reviews, unsigned, activity] = await Promise.all([
      store.digestFacts(period, LATE_AFTER_MS, DIGEST_LINES),
      standing(groupsOf(entitlements)),
      store.freezes(),
      parts.trail?.(scheduled),
      store.openReviews(DIGEST_LINES),
      store.unsignedDigests(UNSIGNED_MOST),
      done(period, entitlements),
    ]);
    return digestView(
      {
        facts,
        standing: members,
        freezes,
        reviews,
        unsigned,
        ...(activity === undefined ? {} : { activity }),
        period,
        zone,
        ...(trail === undefined ? {} : { trail }),
        ...(dueAt === undefined ? {} : { dueAt }),
      },
      clock.now(),
    );
  }

  /** Absent where the file says of no activity that it is done with any access. */
  async function done(period: Period, entitlements: readonly Entitlement[]): Promise<DigestActivity | undefined> {
    const looked = new Set(entitlements.filter(({ activity }) => activity !== undefined).map(({ id }) => id));
    const { activity } = parts;
    if (activity === undefined || looked.size === 0) return undefined;
    const [found, open, ended] = await Promise.all([
      activity.findingsSince(period.from, FINDINGS_MOST),
      activity.openFindings(FINDINGS_MOST),
      activity.windowsEnded(period.from - 1, period.to, WINDOWS_MOST),
    ]);
    const windows = ended.filter(({ entitlement }) => looked.has(entitlement));
    const uses = await activity.uses(windows.map(({ grantId }) => grantId));
    const failing = parts.activityFailing?.() ?? [];
    // Of a source that was not asked nobody knows what was left unused.
    return { found, open, failing, unused: failing.length > 0 ? [] : unusedOf(windows, uses) };
  }

  async function once(): Promise<void> {
    const settings = parts.settings();
    if (settings === undefined || stopped) return;
    const zone = catalog().timezone;
    // As if it were a few seconds ago: then everything decided until now is committed.
    const settled = clock.now() - SETTLED_AFTER_MS;
    const due = lastTimeOfDay(settings, zone, settled);
    const last = await store.lastDigest();
    if (last !== undefined && last.day >= due.day) return;
    if (last === undefined) {
      // The first start with a digest: there is no period to speak of yet. The next time makes the first one.
      const row = { day: due.day, version: 1, fromAt: settled, toAt: settled, madeAt: clock.now() };
      await store.commit({ changes: [{ put: 'digest', row }] });
      return;
    }
    const period = { from: Math.min(last.toAt, settled), to: settled };
    const digest = await draw(period, zone, due.at);
    // Stopped while the directories were being asked: another process, or the next start, makes it.
    if (stopped) return;
    const at = clock.now();
    committing = store.commit({ changes: made(digest, due, settings.channels, parts.ids.opaque(), at) });
    await committing;
  }

  return {
    digest: (period, zone) => draw(period, zone),
    async made(which) {
      if ('id' in which) return await store.digestById(which.id);
      return which.day === undefined ? await store.lastDigest() : await store.digestOf(which.day);
    },
    async details(period, day) {
      const ids = await store.digestRequests(period, DETAILS_MOST + 1);
      const lines = [DIGEST_CSV_HEAD];
      const made = (await parts.activity?.findingsSince(period.from, FINDINGS_MOST)) ?? [];
      const found = Map.groupBy(made, ({ grantId }) => grantId);
      for (let at = 0; at < Math.min(ids.length, DETAILS_MOST); at += DETAILS_PAGE) {
        const page = await store.requestsWithReviews(ids.slice(at, Math.min(at + DETAILS_PAGE, DETAILS_MOST)));
        const grantIds = page.flatMap(({ record }) => (record.grant === undefined ? [] : [record.grant.id]));
        const uses = new Map((await parts.activity?.uses(grantIds))?.map((use) => [use.grantId, use]));
        for (const row of page) {
          const use = uses.get(row.record.grant?.id ?? '');
          const findings = found.get(row.record.grant?.id ?? '') ?? [];
          lines.push(digestCsvLine({ ...row, findings, ...(use === undefined ? {} : { use }) }));
        }
        // Many lines take a while: between two pages everybody else gets a turn.
        await nextTurn();
      }
      const left = ids.length > DETAILS_MOST ? `, the newest ${DETAILS_MOST} requests of more` : '';
      const name = day ?? new Date(period.to).toISOString().slice(0, 10);
      return { name: `digest-${name}.csv`, title: `Access digest ${name}, line by line${left}`, text: lines.join('') };
    },
    standing,
    ring() {
      running ??= once()
        .catch((error: unknown) => {
          // Somebody else made it, or there is no store to put it into any more.
          if (error instanceof StaleStateError || stopped) return;
          log.error({ error }, 'the digest could not be made; it is tried again in a minute');
        })
        .finally(() => {
          running = undefined;
        });
      return running;
    },
    start() {
      const settings = parts.settings();
      if (settings === undefined) return;
      const second = SETTLED_AFTER_MS / 1000;
      task = schedule(`${second} ${settings.minute} ${settings.hour} * * *`, () => this.ring(), {
        name: 'hallpass digest',
        timezone: catalog().timezone,
      });
    },
    async stop() {
      stopped = true;
      await task?.destroy();
      // Directories that are still being asked are not waited for: nothing is committed any more.
      await committing?.catch(() => undefined);
    },
  };
}

function made(
  digest: DigestView,
  due: { readonly at: Instant; readonly day: string },
  channels: DigestSettings['channels'],
  id: string,
  at: Instant,
): readonly Change[] {
  const { period } = digest;
  return [
    {
      put: 'digest',
      row: { day: due.day, version: 1, fromAt: period.from, toAt: period.to, madeAt: at, id, view: digest },
    },
    ...(channels.length === 0 ? [] : [showDigest(due.day, at)]),
    // Nothing happened, so there is no line to look at.
    ...(digest.quiet || !channels.some(({ platform }) => platform === 'slack')
      ? []
      : [handDetails(period, { day: due.day }, at)]),
    event(
      'digest.posted',
      at,
      { kind: 'hallpass', part: 'digest' },
      {
        detail: {
          day: due.day,
          dueAt: due.at,
          from: period.from,
          to: period.to,
          quiet: digest.quiet,
          counts: { ...digest.counts },
        },
      },
    ),
  ];
}
