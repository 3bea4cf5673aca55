/** The way out: first nothing new comes in, then what is under way ends, and the record is closed last. */
import type { Store } from '../access/ports.ts';
import type { ActivityRoom } from '../activity/open.ts';
import type { Api } from '../api/app.ts';
import type { Webhooks } from '../api/webhooks.ts';
import type { Pump } from '../audit/pump.ts';
import type { Slack } from '../chat/slack/app.ts';
import type { Teams } from '../chat/teams/app.ts';
import type { Console } from '../console/console.ts';
import type { Http } from '../http.ts';
import type { Log } from '../log.ts';
import type { Digests } from '../workers/digest.ts';
import type { Loop } from '../workers/loop.ts';
import type { Reconciler } from '../workers/reconcile.ts';
import type { Sweep } from '../workers/sweep.ts';

/** Of the ten seconds that a stop may take, each part's share. */
const STOP = { http: 3_000, chat: 1_500, loop: 4_500 } as const;

/** First nothing new comes in, then what is under way ends, and the record is closed last. */
export async function stopInOrder(parts: {
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
