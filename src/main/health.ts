/** `/healthz`, `/readyz` and `/metrics`. */
import type { Clock, Directory, Store } from '../access/ports.ts';
import type { ActivityRoom } from '../activity/open.ts';
import type { Webhooks } from '../api/webhooks.ts';
import type { Pump } from '../audit/pump.ts';
import type { Slack } from '../chat/slack/app.ts';
import type { Teams } from '../chat/teams/app.ts';
import type { HttpRoute } from '../http.ts';
import type { MetricsRegistry } from '../metrics.ts';
import type { StepUp } from '../people/sign-in.ts';
import type { Troubles } from '../people/sources.ts';
import type { Reloads } from '../reload.ts';

const OUTSTANDING_SHOWN = 100;

/** A removal that has failed this often is told in `/readyz` too. */
const FAILING_AFTER = 3;

export function healthRoutes(parts: {
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
