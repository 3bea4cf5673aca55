/**
 * The composition root: opens the store, builds the adapters from the settings, starts the workers, and stops
 * everything in order. Whatever runs Hallpass, the sandbox included, runs this.
 */
import type { ActivityStore } from './access/activity.ts';
import { createDevices } from './access/devices.ts';
import { createHandler, type Handler } from './access/handle.ts';
import type { Accounts, DigestStore, Directory, DriftStore, Store } from './access/ports.ts';
import { type ActivityRoom, openActivity } from './activity/open.ts';
import { type Api, createApi } from './api/app.ts';
import { createWebhooks, type Webhooks } from './api/webhooks.ts';
import type { Signer } from './audit/checkpoint.ts';
import { exportHead, exportLine } from './audit/export.ts';
import { createSlack, type Slack } from './chat/slack/app.ts';
import type { Teams } from './chat/teams/app.ts';
import { type ProcessClock, sharedClock } from './clock.ts';
import type { Loaded, Settings } from './config.ts';
import { type Console, createConsole } from './console/console.ts';
import { createHttp } from './http.ts';
import { randomIds } from './ids.ts';
import type { Log } from './log.ts';
import { tellStranded, tellUnusableGroups } from './main/groups.ts';
import { healthRoutes } from './main/health.ts';
import {
  activitySources,
  driftRulesOf,
  openDirectories,
  openPump,
  openRecord,
  sealOf,
  trustedGroups,
} from './main/opening.ts';
import { stopInOrder } from './main/stop.ts';
import { waking } from './main/waking.ts';
import { createMetrics } from './metrics.ts';
import { createDisputes } from './people/disputes.ts';
import { createPeople } from './people/identity.ts';
import { createSources } from './people/opened.ts';
import { createSignIn } from './people/sign-in.ts';
import { createTroubles } from './people/sources.ts';
import { createWorkloads } from './people/workloads.ts';
import { createProofMount, proofLink } from './proof/mount.ts';
import { createReloads, type Reloads } from './reload.ts';
import { alertLane } from './workers/alert.ts';
import { createDigests } from './workers/digest.ts';
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
