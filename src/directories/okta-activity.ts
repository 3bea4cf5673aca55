/** Okta's System Log as what people did: each event of a person's own account, whatever it was about. */
import { z } from 'zod';
import type { Activity, ActivityKind, Told } from '../access/activity.ts';
import type { Instant } from '../access/model.ts';
import { countryCode } from './country.ts';
import { type Answer, type Asked, malformed } from './http.ts';
import { ID_PATTERN, type Page, processPage } from './okta-answers.ts';
import { LOG_PAGE_SIZE } from './okta-log.ts';

const text = z.string().nullish().catch(undefined);

/** What is needed to know it for the same and to say whose it is; the rest may be missing or odd without any harm. */
const eventSchema = z.object({
  uuid: z.string().min(1).max(200),
  published: z.iso.datetime(),
  eventType: z.string().max(200),
  actor: z.object({ id: z.string(), type: z.string(), alternateId: text }).nullish().catch(undefined),
  outcome: z.object({ result: text }).nullish().catch(undefined),
  client: z
    .object({
      ipAddress: text,
      device: text,
      userAgent: z.object({ os: text, browser: text }).nullish().catch(undefined),
      geographicalContext: z.object({ country: text }).nullish().catch(undefined),
    })
    .nullish()
    .catch(undefined),
  target: z
    .array(z.object({ type: text, alternateId: text, displayName: text }))
    .nullish()
    .catch(undefined),
});

type LogEvent = z.output<typeof eventSchema>;

/** Without an end: such a query goes by when Okta wrote events down, so that none is passed over, and never ends. */
export function activityQuery(since: Instant): Record<string, string> {
  return { since: new Date(since).toISOString(), sortOrder: 'ASCENDING', limit: String(LOG_PAGE_SIZE) };
}

/** One page. What nobody's account did (the system, an application), and what cannot be read, is left out. */
export function processActivity(
  asked: Asked,
  answer: Answer,
  now: Instant,
  from: URL,
  source: string,
): Page<Told> & { readonly next: URL; readonly count: number } {
  const page = processPage(asked, answer, now, from, z.unknown(), (value) => eventSchema.safeParse(value).data);
  // A query without an end always has more to come; without a link there would be no place to go on from.
  if (page.next === undefined) throw malformed(asked, 'the log has no link to go on from');
  const told = page.items.flatMap((event): readonly Told[] => {
    const { actor } = event ?? {};
    if (event === undefined || actor == null || actor.type !== 'User' || !ID_PATTERN.test(actor.id)) return [];
    const who = { directory: asked.directory, id: actor.id };
    return [{ activity: activityOf(event, actor.alternateId ?? actor.id, source), who }];
  });
  return { items: told, next: page.next, count: page.items.length };
}

function activityOf(event: LogEvent, account: string, source: string): Activity {
  const { uuid, published, eventType, client } = event;
  const [first, second] = event.target ?? [];
  const named = (one: typeof first) =>
    (one?.alternateId && one.alternateId !== 'unknown' ? one.alternateId : one?.displayName) ?? '';
  const { os, browser } = client?.userAgent ?? {};
  const agent = [os, browser].filter((part) => part != null && part !== '' && part.toLowerCase() !== 'unknown');
  const result = event.outcome?.result ?? 'SUCCESS';
  return {
    source,
    uid: uuid,
    at: Date.parse(published),
    action: eventType,
    kind: kindOf(eventType),
    account: cut(account, 320),
    // ALLOW and CHALLENGE are not failures; what was refused or failed had no effect.
    outcome: result === 'FAILURE' || result === 'DENY' ? 'failure' : 'success',
    resource: cut(named(first), 200),
    target: cut(named(second), 500),
    ip: cut(client?.ipAddress ?? '', 64),
    country: countryCode(client?.geographicalContext?.country ?? ''),
    device: cut(agent.join(' '), 200),
    amount: 0,
  };
}

const KINDS: readonly (readonly [RegExp, ActivityKind])[] = [
  [
    /^(?:user\.session\.start|user\.authentication\.|app\.oauth2\.(?:signon|authorize)|policy\.evaluate_sign_on)/,
    'login',
  ],
  [
    /^(?:user\.account\.privilege\.grant|group\.privilege\.grant|iam\.resourceset\.bindings\.add|user\.session\.impersonation\.(?:grant|initiate))/,
    'privilege',
  ],
  [/^user\.mfa\.factor\.(?:deactivate|reset_all|suspend|reset)/, 'factor'],
  [
    /^(?:system\.api_token\.create|app\.oauth2\.client\.lifecycle\.(?:create|add_secret)|app\.oauth2\.credentials\.lifecycle\.create)/,
    'credential',
  ],
  [/^(?:system\.log_stream\.lifecycle\.(?:deactivate|delete)|event_hook\.(?:deactivated|deleted))/, 'logging'],
  [/^(?:analytics\.reports\.export\.|workflows\.user\.(?:table|flow)\.export|system\.csv\.)/, 'export'],
  [
    /^(?:policy\.(?:lifecycle|rule)\.|application\.policy\.|zone\.|system\.idp\.lifecycle\.|application\.lifecycle\.(?:update|delete|deactivate)|security\.)/,
    'policy',
  ],
  [/\.(?:delete|deleted|remove|deactivate)$/, 'delete'],
  [/\.(?:create|update|add|activate|change|reset|set)$/, 'write'],
];

function kindOf(eventType: string): ActivityKind {
  return KINDS.find(([pattern]) => pattern.test(eventType))?.[1] ?? 'other';
}

function cut(value: string, max: number): string {
  return value.length <= max ? value : [...value.slice(0, max)].join('');
}
