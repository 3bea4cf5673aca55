/** Who is on call in PagerDuty: one schedule, and of it one level only, never a whole escalation policy. */
import { z } from 'zod';
import type { OnCall, OnCallEntry } from '../access/ports.ts';
import { type Asker, type AskingParts, createAsker, isServiceUrl } from './asking.ts';

export const PAGERDUTY_URL = 'https://api.pagerduty.com';
const PAGE = 100;
/** A schedule with more people on call at once than this is none of ours. */
const PAGES_MAX = 5;

export const pagerDutyId = (what: string) =>
  z.string().regex(/^[A-Z0-9]{3,40}$/, `must be the id of a PagerDuty ${what}, such as PABC123`);

export const pagerDutyAccess = {
  token: z.string().min(1).describe('A read-only API key; written as the name of a variable of the environment.'),
  url: z
    .string()
    .refine(isServiceUrl, 'must be an https:// address without a path (http:// only on loopback)')
    .optional()
    .describe('The service region. Default https://api.pagerduty.com; https://api.eu.pagerduty.com for the EU.'),
};

export const pagerDutySection = z
  .strictObject({
    type: z.literal('pagerduty').describe('A schedule of PagerDuty.'),
    schedule: pagerDutyId('schedule').describe('The id of the schedule (P…).'),
    level: z
      .int()
      .min(1)
      .max(50)
      .optional()
      .describe('Who is on call at this level of an escalation policy; nobody of the levels after it. Default 1.'),
    ...pagerDutyAccess,
  })
  .describe('Who is on call in PagerDuty now.');

export type PagerDutySection = z.infer<typeof pagerDutySection>;

const onCalls = z.object({
  oncalls: z.array(
    z.object({
      escalation_level: z.int(),
      schedule: z.object({ id: z.string() }).nullish(),
      user: z.object({ id: z.string(), email: z.string().optional() }),
    }),
  ),
  more: z.boolean().nullish(),
});

export function pagerDutyHeaders(token: string): Readonly<Record<string, string>> {
  return { authorization: `Token token=${token}`, accept: 'application/vnd.pagerduty+json;version=2' };
}

export function createPagerDutyOnCall(name: string, section: PagerDutySection, parts: AskingParts): OnCall {
  const asker = createAsker(parts, { service: 'PagerDuty', source: `on-call source "${name}"` });
  const level = section.level ?? 1;

  return {
    async now() {
      const found = new Map<string, OnCallEntry>();
      const signal = asker.signal();
      for (let page = 0; page < PAGES_MAX; page += 1) {
        const { oncalls, more } = await pageOf(asker, section, page * PAGE, signal);
        for (const { escalation_level, schedule, user } of oncalls) {
          // The filter is asked of PagerDuty too; that a schedule can serve several levels is why both are looked at.
          if (escalation_level !== level || schedule?.id !== section.schedule) continue;
          if (user.email !== undefined && user.email !== '') found.set(user.id, { email: user.email });
        }
        if (more !== true) return [...found.values()];
      }
      throw asker.unusable(`names more than ${PAGES_MAX * PAGE} people`);
    },
  };
}

async function pageOf(
  asker: Asker,
  section: PagerDutySection,
  offset: number,
  signal: AbortSignal,
): Promise<z.infer<typeof onCalls>> {
  const url = new URL('/oncalls', section.url ?? PAGERDUTY_URL);
  // Neither `since` nor `until`: left out, both mean now.
  url.searchParams.append('schedule_ids[]', section.schedule);
  url.searchParams.append('include[]', 'users');
  url.searchParams.append('limit', String(PAGE));
  url.searchParams.append('offset', String(offset));
  const { status, body } = await asker.ask(
    { operation: 'oncalls', url, headers: pagerDutyHeaders(section.token) },
    signal,
  );
  if (status === 404) throw asker.unusable('has no such list (404)');
  const read = onCalls.safeParse(body);
  if (!read.success) throw asker.unusable('gave an answer without a list of people on call');
  return read.data;
}
