/**
 * The composition root: opens the store, builds the adapters from the settings, starts the workers, and stops
 * everything in order. Whatever runs Hallpass, the sandbox included, runs this.
 */
import { dirname, resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ActivityStore } from './access/activity.ts';
import { createDevices } from './access/devices.ts';
import { removalLatenessMs } from './access/digest-view.ts';
import { createHandler, type Handler } from './access/handle.ts';
import type { AccountRef, Change, Grant, Instant, Job, RequestId } from './access/model.ts';
import type {
  Accounts,
  Clock,
  DigestStore,
  Directory,
  DriftStore,
  Metrics,
  People,
  Store,
  TrailSeal,
} from './access/ports.ts';
import type { DriftRules } from './access/reconcile.ts';
import { type ActivityRoom, type OpenedSource, openActivity } from './activity/open.ts';
import { type Api, createApi } from './api/app.ts';
import { createWebhooks, type Webhooks } from './api/webhooks.ts';
import type { Signer } from './audit/checkpoint.ts';
import { exportHead, exportLine } from './audit/export.ts';
import { createOutlet } from './audit/outlet.ts';
import { createPump, type Pump } from './audit/pump.ts';
import { type TrailSource, verifyTrail } from './audit/verify.ts';
import { createSlack, type Slack } from './chat/slack/app.ts';
import type { Teams } from './chat/teams/app.ts';
import { type ProcessClock, sharedClock } from './clock.ts';
import type { Loaded, Settings } from './config.ts';
import { type Console, createConsole } from './console/console.ts';
import { driftRules } from './directories/drift-section.ts';
import { openDirectory } from './directories/open.ts';
import { createHttp, type Http, type HttpRoute } from './http.ts';
import { randomIds, salt } from './ids.ts';
import type { Log } from './log.ts';
import { createMetrics, type MetricsRegistry } from './metrics.ts';
import { createDisputes } from './people/disputes.ts';
import { createPeople, type Trusted } from './people/identity.ts';
import { createSources } from './people/opened.ts';
import { createSignIn, type StepUp } from './people/sign-in.ts';
import { createTroubles, type Troubles } from './people/sources.ts';
import { createWorkloads } from './people/workloads.ts';
import { createProofMount, proofLink } from './proof/mount.ts';
import { createReloads, type Reloads } from './reload.ts';
import { type OpenStore, openStore } from './store/database.ts';
import { alertLane } from './workers/alert.ts';
import { createDigests, type Digests } from './workers/digest.ts';
import { createDesk, inboxLane } from './workers/inbox.ts';
import { createLoop, type Lane, type Loop } from './workers/loop.ts';
import { notifyLane } from './workers/notify.ts';
import { provisionLanes } from './workers/provision.ts';
import { createReconciler, type Reconciler } from './workers/reconcile.ts';
import { signOutLane } from './workers/sign-out.ts';
import { createStanding } from './workers/standing.ts';
import { createSweep, type Sweep } from './workers/sweep.ts';
import { askLane, timerLane } from './workers/timers.ts';

export interface RunOptions {
  readonly settings: Settings;
  /** Reads the settings again, for `reload`. Left out: they hold until the process ends. */
  readonly load?: () => Loaded;
  readonly clock: ProcessClock;
  readonly log: Log;
  /** Left out: every interface. */
  readonly host?: string;
  /** Signs the trail's checkpoints, or why nobody does. Left out: they are not wanted. */
  readonly signing?: { readonly signer: Signer } | { readonly missing: string };
  /** For tests: every call to a directory ends within this. */
  readonly callDeadlineMs?: number;
  /** The sandbox, on loopback only: whatever claims to come from Teams does. */
  readonly unverifiedTeams?: boolean;
  /** For tests: whose tokens are believed to be Bot Framework's. */
  readonly teamsTrust?: { readonly metadataUrl: string };
}

export interface Running {
  readonly port: number;
  readonly store: Store & DigestStore & DriftStore & ActivityStore;
  readonly activity: ActivityRoom;
  readonly handler: Handler;
  readonly directories: ReadonlyMap<string, Directory>;
  readonly loop: Loop;
  readonly sweep: Sweep;
  readonly reconciler: Reconciler;
  readonly slack: Slack | undefined;
  readonly teams: Teams | undefined;
  /** Reads the configuration again and takes it whole or not at all; `false`: the old one still holds. Never rejects. */
  reload(): Promise<boolean>;
  /** Drains within ten seconds. */
  stop(): Promise<void>;
}

/** A machine whose clock differs this much from the database's has a problem that its operator should know of. */
const OFFSET_TOLD_MS = 2_000;

/** Of the ten seconds that a stop may take, each part's share. */
const STOP = { http: 3_000, chat: 1_500, loop: 4_500 } as const;

/** Being allowed to see is no authority that a grant could give away; the file warns of it. */
export function trustedGroups(settings: Settings): readonly Trusted[] {
  return settings.named.flatMap(({ path, subject, sees }) =>
    subject.kind === 'group' && sees !== true ? [{ directory: subject.directory, group: subject.group, by: path }] : [],
  );
}

export function openRecord(settings: Settings, clock: Clock): Promise<OpenStore> {
  const ids = randomIds();
  return openStore({ url: settings.env.databaseUrl, now: clock.now, hash: ids.hash, salt });
}

export function openDirectories(
  settings: Settings,
  clock: Clock,
  metrics: MetricsRegistry,
  callDeadlineMs?: number,
): ReadonlyMap<string, Directory> {
  const ids = randomIds();
  return new Map(
    settings.directories.map((directory) => [
      directory.name,
      openDirectory({
        ...directory,
        clock,
        metrics,
        jitter: ids.jitter,
        ...(callDeadlineMs === undefined ? {} : { callDeadlineMs }),
      }),
    ]),
  );
}

/** Each as the file describes it; one whose directory keeps no log is refused with the file already. */
export function activitySources(
  settings: Settings,
  directories: ReadonlyMap<string, Directory>,
): readonly OpenedSource[] {
  return Object.entries(settings.activitySources).flatMap(([name, section]): readonly OpenedSource[] => {
    const { lateMs } = section;
    if (section.type === 'ingest') return [{ name, ofItsOwn: true, lateMs, secret: section.secret }];
    const directory = directories.get(section.directory);
    const reading = directory?.as?.('reconcile') ?? directory;
    const port = reading?.activity?.(name, 'applications' in section ? section.applications : undefined);
    return port === undefined ? [] : [{ name, ofItsOwn: false, lateMs, port }];
  });
}

export function driftRulesOf(settings: Settings): ReadonlyMap<string, DriftRules> {
  return new Map(settings.directories.map(({ name, section }) => [name, driftRules(section)]));
}

/** Grants that a commit has ended; one that was over before may be put again. */
function endedBy(changes: readonly Change[]): readonly Grant[] {
  const over = new Set(
    changes.flatMap((change) =>
      'put' in change && change.put === 'event' && change.row.kind === 'grant.ended' ? [change.row.grantId] : [],
    ),
  );
  if (over.size === 0) return [];
  return changes.flatMap((change) =>
    'put' in change && change.put === 'grant' && change.row.state === 'ended' && over.has(change.row.id)
      ? [change.row]
      : [],
  );
}

/** Those who are owed a message about a change: what they see elsewhere has changed too. */
function toldOf(changes: readonly Change[]): readonly AccountRef[] {
  return changes.flatMap((change) => {
    if (!('put' in change) || change.put !== 'job' || change.row.kind !== 'notification') return [];
    const { payload } = change.row;
    return payload.tell === 'request' && 'account' in payload.audience ? [payload.audience.account] : [];
  });
}

/** From the end of each grant that a commit lets expire to when the decision is kept. */
function expiredLate(changes: readonly Change[], now: Instant): readonly number[] {
  return changes.flatMap((change) => {
    if (!('put' in change) || change.put !== 'event' || change.row.kind !== 'grant.expired') return [];
    const { expiresAt } = change.row.detail;
    return typeof expiresAt === 'number' ? [Math.max(0, now - expiresAt)] : [];
  });
}

/** Requests of which something is put: those of grants and of messages about them among them. */
function requestsOf(changes: readonly Change[]): readonly RequestId[] {
  return changes.flatMap((change) => {
    if (!('put' in change)) return [];
    if (change.put === 'request') return [change.row.id];
    if (change.put === 'grant') return [change.row.requestId];
    if (change.put !== 'event' || change.row.requestId === undefined) return [];
    return [change.row.requestId];
  });
}

function jobsOf(changes: readonly Change[]): readonly Job[] {
  return changes.flatMap((change) => ('put' in change && change.put === 'job' ? [change.row] : []));
}

/** The record, with a wake-up for the workers after every commit: what was just decided is worked off at once. */
function waking<S extends Store>(
  store: S,
  metrics: Metrics,
  now: () => Instant,
  wake: (committed: readonly Job[]) => void,
  changed: (accounts: readonly AccountRef[], requests: readonly RequestId[]) => void,
  events: (count: number) => void,
): S {
  return {
    ...store,
    async commit(commit) {
      await store.commit(commit);
      for (const grant of endedBy(commit.changes)) {
        const ms = removalLatenessMs(grant);
        const reason = grant.endReason ?? 'expired';
        if (ms !== undefined) metrics.observe('hallpass_removal_lateness_seconds', ms / 1000, { reason });
      }
      for (const ms of expiredLate(commit.changes, now()))
        metrics.observe('hallpass_removal_step_seconds', ms / 1000, { step: 'decided' });
      wake(jobsOf(commit.changes));
      changed(toldOf(commit.changes), requestsOf(commit.changes));
      events(commit.changes.filter((change) => 'put' in change && change.put === 'event').length);
    },
  };
}

/** A platform that is opened after those who ask it. */
function deferred(accounts: () => Accounts): Accounts {
  return {
    lookup: (account) => accounts().lookup(account),
    byEmail: (email) => accounts().byEmail(email),
    groupMembers: (group) => accounts().groupMembers(group),
  };
}

export async function run(options: RunOptions): Promise<Running> {
  const { settings, log } = options;
  const ids = randomIds();
  const metrics = createMetrics();
  const record = await openRecord(settings, options.clock);
  const clock = sharedClock(options.clock, record.serverTime);
  options.clock.onStepBack = (byMs) =>
    log.warn({ byMs: Math.round(byMs) }, "this machine's clock was set back; Hallpass goes on at the old time");
  const agree = async () => {
    const offsetMs = await clock.agree();
    if (Math.abs(offsetMs) > OFFSET_TOLD_MS)
      log.warn({ offsetMs }, 'this clock and the database differ; the time of the database is used');
  };
  await agree();
  const behindMs = record.dialect === 'sqlite' ? clock.notBefore((await record.newestEventAt()) ?? 0) : 0;
  if (behindMs > 0)
    log.error({ behindMs }, "this machine's clock is behind what was written down before; Hallpass goes on from there");
  const directories = openDirectories(settings, clock, metrics, options.callDeadlineMs);
  let loop: Loop | undefined;
  let api: Api | undefined;
  let webhooks: Webhooks | undefined;
  let web: Console | undefined;
  const store = waking(
    record,
    metrics,
    clock.now,
    (committed) => loop?.wake(committed),
    (accounts, requests) => {
      slack?.changed(accounts);
      api?.changed(requests);
    },
    (count) => {
      pump.committed(count);
      webhooks?.committed(count);
      web?.changed();
    },
  );
  const pump = openPump(options, record, clock, metrics);
  const reloads: Reloads = createReloads({
    settings,
    load: options.load ?? (() => ({ ok: true, settings: reloads.current() })),
    swap: (next) => {
      sources.open(next);
      void tellUnusableGroups(next, people, log);
    },
    store,
    trail: record,
    clock,
    log,
  });
  const { current } = reloads;
  const timezone = () => current().catalog.timezone;

  let slack: Slack | undefined;
  let teams: Teams | undefined;
  const accounts = () => {
    if (slack === undefined) throw new Error('Slack is not configured');
    return slack.accounts;
  };
  const teamsAccounts = () => {
    if (teams === undefined) throw new Error('Teams is not configured');
    return teams.accounts;
  };
  const troubles = createTroubles((source, why) => {
    if (why === undefined) log.info({ source }, 'it can be asked again');
    else log.error({ source, why }, 'it cannot be asked, so it makes nobody an approver');
  });
  const sources = createSources({ clock, metrics, jitter: ids.jitter, accounts, zone: timezone }, troubles);
  sources.open(settings);
  const { onCall, incidents } = sources;
  const disputed = createDisputes({ store, clock, log });
  const people = createPeople({
    linking: settings.stepUp !== undefined,
    accounts: {
      ...(settings.slack === undefined ? {} : { slack: deferred(accounts) }),
      ...(settings.teams === undefined ? {} : { teams: deferred(teamsAccounts) }),
    },
    directories,
    onCall,
    identityDirectory: settings.identityDirectory,
    settings: () => {
      // The token's own workspace unless the file names others.
      const own = slack?.facts().team;
      const workspaces = settings.slack?.workspaces ?? (own === undefined ? undefined : [own]);
      const { identity, people } = current();
      return {
        ...identity,
        people,
        ...(workspaces === undefined ? {} : { workspaces }),
        ...(settings.teams === undefined ? {} : { tenants: settings.teams.tenants }),
      };
    },
    store,
    session: (id) => store.session(id),
    workloads: () => Object.keys(current().workloads),
    clock,
    metrics,
    trusted: () => trustedGroups(current()),
    disputed,
  });
  const signIn =
    settings.stepUp === undefined
      ? undefined
      : createSignIn({
          ...settings.stepUp,
          identityDirectory: settings.identityDirectory,
          people,
          store,
          clock,
          wallClock: Date.now,
          metrics,
          jitter: ids.jitter,
          disputed,
        });
  const catalog = () => current().catalog;
  const digests = createDigests({
    store,
    trail: (verify) => sealOf(record, ids.hash, verify),
    standing: createStanding({ store, people, directories, clock }),
    activity: record,
    activityFailing: () => activity.problems(),
    catalog,
    // Without chat there is nowhere to post it.
    settings: () =>
      settings.env.slackBotToken === undefined && settings.teams === undefined ? undefined : current().digest,
    clock,
    ids,
    log,
  });
  const handler = createHandler({
    ...(settings.stepUp === undefined ? {} : { proofLink: proofLink(settings.stepUp.baseUrl), owners: people }),
    store,
    people,
    directories,
    incidents,
    catalog,
    clock,
    ids,
    reports: digests,
    messagesOf: record.messagesOf,
    activity: record,
    activityFailing: () => activity.problems(),
  });
  const parts = { store, handler, clock, log };
  const failed = (error: unknown, where: string) => log.error({ error, where }, 'a request could not be served');
  const workloads = createWorkloads({
    sections: () => current().workloads,
    people,
    store,
    clock,
    // A token's age is judged by the real clock, whatever time the rest of the process is given.
    wallClock: Date.now,
    ids,
    metrics,
  });
  const devices = createDevices({ store, people, clock, ids });
  const { baseUrl } = settings.env;
  webhooks = createWebhooks({
    store: record,
    view: handler.view,
    webhooks: settings.webhooks,
    clock,
    ids,
    metrics,
    log,
  });
  api = createApi({
    ...parts,
    desk: createDesk(parts),
    people,
    ids,
    metrics,
    directories,
    catalog,
    onError: failed,
    workloads,
    devices,
    ...(baseUrl === undefined ? {} : { baseUrl }),
  });
  if (signIn !== undefined && settings.stepUp !== undefined)
    web = createConsole({
      ...parts,
      baseUrl: settings.stepUp.baseUrl,
      signIn,
      desk: createDesk(parts),
      people,
      directories,
      incidents,
      catalog,
      trail: record,
      digests: record,
      activities: record,
      devices,
      ids,
      verify: () => sealOf(record, ids.hash, true),
      files: { head: exportHead, line: exportLine },
    });

  if (settings.slack !== undefined && settings.env.slackBotToken !== undefined)
    slack = createSlack({
      botToken: settings.env.slackBotToken,
      ...(settings.env.slackSigningSecret === undefined ? {} : { signingSecret: settings.env.slackSigningSecret }),
      ...(settings.env.slackAppToken === undefined ? {} : { appToken: settings.env.slackAppToken }),
      ...(settings.env.slackApiUrl === undefined ? {} : { apiUrl: settings.env.slackApiUrl }),
      ...(settings.slack.workspaces === undefined ? {} : { workspaces: settings.slack.workspaces }),
      approvalsChannel: settings.slack.approvals,
      securityChannel: settings.slack.security,
      desk: createDesk(parts),
      questions: handler,
      // A signature's age is judged by the real clock, whatever time the rest of the process is given.
      wallClock: Date.now,
      clock,
      metrics,
      logger: log,
      zone: timezone,
    });

  if (settings.teams !== undefined) {
    const { credentials, approvals, tenants } = settings.teams;
    if (credentials === undefined && (options.unverifiedTeams !== true || options.host !== '127.0.0.1'))
      throw new Error('Teams without an app registration is for the sandbox, on this machine only');
    // Loaded only where it is wanted: the SDK behind it is large.
    const { createTeams } = await import('./chat/teams/app.ts');
    teams = createTeams({
      ...(credentials === undefined ? {} : { identity: credentials }),
      ...(options.teamsTrust === undefined ? {} : { trust: options.teamsTrust }),
      tenants,
      approvalsChannel: approvals,
      store: record,
      desk: createDesk(parts),
      questions: handler,
      look: (by, card) => handler.handle({ do: 'show', by, target: { card } }),
      clock,
      metrics,
      logger: log,
      zone: timezone,
    });
  }

  const alerts = { store, url: settings.env.alertUrl, timezone, clock, ids, metrics, log };
  const lanes: Lane[] = [
    timerLane({ store, clock }),
    askLane({ store, clock, people, catalog, incidents }),
    ...[...directories.values()].flatMap((directory) => provisionLanes({ store, directory, clock, ids, metrics, log })),
    ...[...directories.values()].map((directory) => signOutLane({ store, directory, clock, ids, log })),
    inboxLane({ ...parts, replier: (platform) => (platform === 'slack' ? slack?.replier : teams?.replier) }),
    alertLane(alerts),
    ...(slack === undefined && teams === undefined
      ? []
      : [
          notifyLane({
            store,
            messengers: {
              ...(slack === undefined ? {} : { slack: slack.messenger }),
              ...(teams === undefined ? {} : { teams: teams.messenger }),
            },
            securityChannels: () =>
              (['slack', 'teams'] as const).flatMap((platform) => {
                const conversation = settings[platform]?.security;
                return conversation === undefined ? [] : [{ platform, conversation }];
              }),
            timezone,
            view: handler.view,
            revocation: handler.revocation,
            review: handler.review,
            finding: handler.finding,
            findingsChannel: () => current().findingsChannel,
            digest: record.digestOf,
            digestChannels: () => current().digest?.channels ?? [],
            details: digests.details,
            clock,
            ids,
            log,
          }),
        ]),
  ];
  loop = createLoop({ lanes, clock, metrics, log });
  const activity = openActivity({
    store: { ...record, commit: store.commit },
    sources: activitySources(settings, directories),
    catalog,
    settings: current,
    clock,
    wallClock: Date.now,
    ids,
    metrics,
    log,
  });
  const heartbeat = settings.env.heartbeatUrl;
  const sweep = createSweep({
    store,
    loop,
    clock,
    metrics,
    log,
    agree,
    daily: async () => {
      await Promise.all([digests.ring(), pump.ring(), activity.ring(), api?.tidy(), webhooks?.ring()]);
    },
    ...(heartbeat === undefined ? {} : { heartbeatUrl: heartbeat }),
  });
  const rules = driftRulesOf(settings);
  const reconciler = createReconciler({ store, directories, rules, catalog, clock, metrics, log });
  const proofs =
    signIn === undefined || settings.stepUp === undefined
      ? undefined
      : createProofMount({
          baseUrl: settings.stepUp.baseUrl,
          signIn,
          store,
          people,
          handler,
          catalog,
          clock,
          metrics,
          secret: () => ids.opaque() + ids.opaque(),
          log,
        });
  const http = createHttp({
    routes: [
      ...(slack?.routes ?? []),
      ...(teams?.routes ?? []),
      ...activity.routes,
      ...healthRoutes({
        store,
        slack: () => slack,
        teams: () => teams,
        clock,
        metrics,
        directories,
        reloads,
        troubles,
        pump,
        webhooks,
        signIn,
        activity,
      }),
    ],
    mounts: [api, ...(web === undefined ? [] : [web]), ...(proofs === undefined ? [] : [proofs])],
    onError: failed,
  });

  try {
    await reloads.started();
    await http.start(settings.env.port, options.host);
  } catch (error) {
    await record.close();
    throw error;
  }
  loop.start();
  sweep.start();
  digests.start();
  reconciler.start();
  void webhooks.ring();
  slack?.start();
  // An issuer that is away is known before the first person needs it.
  signIn?.trouble();
  void teams?.start().catch((error: unknown) => log.error({ error }, 'where Teams is could not be read'));
  // Whatever was forgotten while nothing ran is found now, not in a minute.
  void sweep.sweep();
  void tellUnusableGroups(settings, people, log);
  void tellStranded(store, directories, log);

  let stopping: Promise<void> | undefined;
  return {
    port: http.address?.port ?? settings.env.port,
    store,
    handler,
    directories,
    loop,
    sweep,
    activity,
    reconciler,
    slack,
    teams,
    reload: () => reloads.reload(),
    stop() {
      stopping ??= stopInOrder({
        http,
        api,
        web,
        slack,
        teams,
        loop,
        sweep,
        digests,
        reconciler,
        pump,
        webhooks,
        activity,
        store: record,
        log,
      });
      return stopping;
    },
  };
}

/** The trail is as long as the years: between two pages everybody else gets a turn. */
async function sealOf(store: OpenStore, hash: (text: string) => string, verify: boolean): Promise<TrailSeal> {
  if (!verify) return await store.chainHead();
  const source: TrailSource = {
    async page(afterSeq, limit, withColumns) {
      await nextTurn();
      return await store.trailLinks(afterSeq, limit, withColumns);
    },
    checkpoints: store.checkpoints,
  };
  const report = await verifyTrail(source, { verifiers: [], anchors: [], deep: false, hash });
  const wrong = report.broken ?? report.contradictions[0];
  const verified =
    wrong === undefined ? { ok: true as const } : { ok: false as const, why: `event ${wrong.seq}: ${wrong.why}` };
  return { ...report.head, verified };
}

/** Files are named relative to the configuration. */
function openPump(options: RunOptions, store: OpenStore, clock: Clock, metrics: MetricsRegistry): Pump {
  const { settings, log, signing } = options;
  const inFolder = (path: string) => resolve(dirname(settings.path), path);
  const { anchors = {}, sinks = {} } = settings.audit;
  return createPump({
    store,
    ...(signing !== undefined && 'signer' in signing ? { signer: signing.signer } : {}),
    ...(signing !== undefined && 'missing' in signing ? { unsigned: signing.missing } : {}),
    anchors: new Map(
      Object.entries(anchors).map(([name, section]) => [name, createOutlet(section, inFolder, clock.now)]),
    ),
    sinks: new Map(
      Object.entries(sinks).map(([name, section]) => [
        name,
        { outlet: createOutlet(section, inFolder, clock.now), format: section.format ?? 'jsonl' },
      ]),
    ),
    clock,
    metrics,
    log,
  });
}

/** First nothing new comes in, then what is under way ends, and the record is closed last. */
async function stopInOrder(parts: {
  readonly http: Http;
  readonly api: Api;
  readonly web: Console | undefined;
  readonly slack: Slack | undefined;
  readonly teams: Teams | undefined;
  readonly loop: Loop | undefined;
  readonly sweep: Sweep;
  readonly digests: Digests;
  readonly reconciler: Reconciler;
  readonly pump: Pump;
  readonly webhooks: Webhooks;
  readonly activity: ActivityRoom;
  readonly store: Store;
  readonly log: Log;
}): Promise<void> {
  const { http, api, web, slack, teams, loop, sweep, digests, reconciler, pump, webhooks, activity, store, log } =
    parts;
  api.stop();
  web?.stop();
  await http.stop(STOP.http);
  await Promise.all([slack?.stop(STOP.chat), teams?.stop(STOP.chat)]);
  await sweep.stop();
  await digests.stop();
  await reconciler.stop();
  await Promise.all([pump.stop(), webhooks.stop()]);
  await activity.stop();
  const drained = await loop?.stop(STOP.loop);
  if (drained === false) log.warn({}, 'stopped with jobs under way; their leases run out and they are taken up again');
  await store.close();
}

/** A directory that was dropped or renamed in the file leaves its removals to nobody. */
async function tellStranded(store: Store, directories: ReadonlyMap<string, Directory>, log: Log): Promise<void> {
  const live = await store.list({ liveGrants: true, limit: STRANDED_MAX });
  const named = new Set(live.flatMap(({ grant }) => grant?.memberships.map(({ directory }) => directory) ?? []));
  for (const directory of named)
    if (!directories.has(directory))
      log.error({ directory }, 'unended grants are in a directory that the configuration no longer has; put it back');
}

/** A group that may not be managed refuses requests for it; everything else, above all removals, goes on. */
async function tellUnusableGroups(settings: Settings, people: People, log: Log): Promise<void> {
  for (const { problem, entitlement } of await unusableGroups(settings, people))
    log.error({ entitlement, problem }, 'requests for this are refused until its group can be used');
}

export async function unusableGroups(
  settings: Settings,
  people: People,
): Promise<
  readonly {
    readonly entitlement: string;
    readonly directory: string;
    readonly group: string;
    readonly problem: string;
  }[]
> {
  const problems = [];
  for (const resource of Object.values(settings.catalog.resources))
    for (const entitlement of Object.values(resource.roles))
      for (const { directory, group } of entitlement.groups)
        try {
          await people.group(directory, group);
        } catch (error) {
          problems.push({
            entitlement: entitlement.id,
            directory,
            group,
            problem: error instanceof Error ? error.message : String(error),
          });
        }
  return problems;
}

const OUTSTANDING_SHOWN = 100;
const STRANDED_MAX = 10_000;
/** A removal that has failed this often is told in `/readyz` too. */
const FAILING_AFTER = 3;

function healthRoutes(parts: {
  readonly store: Store;
  readonly slack: () => Slack | undefined;
  readonly teams: () => Teams | undefined;
  readonly clock: Clock;
  readonly metrics: MetricsRegistry;
  readonly directories: ReadonlyMap<string, Directory>;
  readonly reloads: Reloads;
  readonly troubles: Troubles;
  readonly pump: Pump;
  readonly webhooks: Webhooks;
  readonly signIn: StepUp | undefined;
  readonly activity: ActivityRoom;
}): readonly HttpRoute[] {
  const { store, slack, clock, metrics } = parts;
  const json = { 'content-type': 'application/json; charset=utf-8' };
  return [
    { method: 'GET', path: '/healthz', handle: () => ({ status: 200, headers: json, body: '{"status":"alive"}' }) },
    {
      method: 'GET',
      path: '/readyz',
      async handle() {
        const degraded: { what: string; why: string }[] = [];
        const recorded = await store.healthy().catch(() => false);
        if (!recorded) degraded.push({ what: 'database', why: 'it does not answer' });
        const chat = slack()?.facts();
        if (chat !== undefined && !chat.ready) degraded.push({ what: 'slack', why: chat.error ?? 'not connected yet' });
        for (const problem of chat?.problems ?? []) degraded.push({ what: 'slack', why: problem });
        const refused = parts.reloads.trouble();
        if (refused !== undefined) degraded.push({ what: 'configuration', why: refused });
        degraded.push(...parts.troubles.list());
        for (const { name, failing, refusesUs } of parts.directories.values()) {
          const why = failing?.();
          if (refusesUs?.() === true)
            degraded.push({
              what: `directory ${name}`,
              why: 'it refuses the credential: nothing can be added there, and nothing removed',
            });
          else if (why !== undefined) degraded.push({ what: `directory ${name}`, why: `${why}; additions wait` });
        }
        const unproven = parts.signIn?.trouble();
        if (unproven !== undefined) degraded.push({ what: 'stepUp', why: unproven });
        for (const why of parts.pump.problems()) degraded.push({ what: 'audit', why });
        for (const why of parts.webhooks.problems()) degraded.push({ what: 'webhook', why });
        for (const why of parts.activity.problems()) degraded.push({ what: 'activity', why });
        const heard = parts.teams()?.facts();
        if (heard !== undefined && !heard.ready)
          degraded.push({ what: 'teams', why: heard.error ?? 'not heard of yet' });
        const outstanding = recorded ? await store.outstandingRemovals(clock.now(), OUTSTANDING_SHOWN) : [];
        for (const { key, membership } of outstanding.filter((one) => !parts.directories.has(one.key.directory)))
          degraded.push({
            what: `removal from ${membership?.groupName ?? key.groupId}`,
            why: `nobody can do it: the directory "${key.directory}" is not in the configuration`,
          });
        const failing = outstanding.filter(({ membership }) => (membership?.failures ?? 0) >= FAILING_AFTER);
        for (const { key, membership } of failing)
          degraded.push({
            what: `removal from ${membership?.groupName ?? key.groupId}`,
            why: `${membership?.failures ?? 0} failures in a row: ${membership?.lastError ?? ''}`,
          });
        // Ready means that a command would be recorded and answered; a failing directory delays, it does not refuse.
        const ready = recorded;
        return {
          status: ready ? 200 : 503,
          headers: json,
          body: JSON.stringify({
            status: ready ? (degraded.length === 0 ? 'ready' : 'degraded') : 'not ready',
            degraded,
            removalsOutstanding: outstanding.length,
          }),
        };
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      async handle() {
        return { status: 200, headers: { 'content-type': metrics.contentType }, body: await metrics.text() };
      },
    },
  ];
}
