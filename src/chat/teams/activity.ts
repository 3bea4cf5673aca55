/**
 * An activity, read. Every field is input: what passes here is well-formed and from one of our tenants, and nothing more
 * is believed of it. Who acts is the Entra object id beside the tenant; names and `29:` ids never identify anybody.
 */
import { z } from 'zod';
import type { AccountRef } from '../../access/model.ts';

const id = z.string().min(1).max(400);
const guid = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(z.guid());

const tenantData = z.object({ tenant: z.object({ id: guid }).optional() });

const activity = z.object({
  type: z.string().max(60),
  id: id.optional(),
  name: z.string().max(100).optional(),
  action: z.string().max(40).optional(),
  channelId: z.string().max(60),
  serviceUrl: z.string().max(500),
  text: z.string().max(40_000).optional().catch(undefined),
  value: z.unknown().optional(),
  localTimezone: z.string().max(64).optional().catch(undefined),
  from: z
    .object({
      id,
      name: z.string().max(300).optional().catch(undefined),
      aadObjectId: guid.optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
  recipient: z.object({ id }).optional().catch(undefined),
  conversation: z.object({
    id,
    conversationType: z.string().max(40).optional().catch(undefined),
    tenantId: guid.optional(),
  }),
  channelData: tenantData.nullish(),
  entities: z
    .array(
      z.object({
        type: z.string().max(60).catch(''),
        text: z.string().max(400).optional().catch(undefined),
        mentioned: z.object({ id }).optional().catch(undefined),
      }),
    )
    .max(200)
    .optional()
    .catch(undefined),
});

export type Activity = z.infer<typeof activity>;

export function readActivity(body: unknown): Activity | undefined {
  return activity.safeParse(body).data;
}

/** The one tenant that everything in it says, when that is one of ours. */
export function tenantIn(read: Activity, ours: readonly string[]): string | undefined {
  const said = [read.conversation.tenantId, read.channelData?.tenant?.id].filter((tenant) => tenant !== undefined);
  const tenant = said[0];
  return tenant !== undefined && said.every((one) => one === tenant) && ours.includes(tenant) ? tenant : undefined;
}

/** Who acts; absent for bots and for people without an account of their own, such as anonymous guests of a meeting. */
export function accountIn(read: Activity, tenant: string): AccountRef | undefined {
  const { from } = read;
  if (from?.aadObjectId === undefined || !from.id.startsWith('29:')) return undefined;
  return { platform: 'teams', tenant, id: from.aadObjectId };
}

export function isPersonal(read: Activity): boolean {
  return read.conversation.conversationType === 'personal';
}

/** Whom it mentions besides the bot, by what Teams calls them towards it. */
export function mentionedIn(read: Activity): readonly string[] {
  const ids = (read.entities ?? []).flatMap(({ type, mentioned }) =>
    type === 'mention' && mentioned !== undefined && mentioned.id !== read.recipient?.id ? [mentioned.id] : [],
  );
  return [...new Set(ids)];
}

/**
 * What the person typed, without the mention of the bot; of anybody else only the object id stays, as Teams tells it,
 * since a label can say anything.
 */
export function plainText(read: Activity, objectIds: ReadonlyMap<string, string> = new Map()): string {
  let text = read.text ?? '';
  for (const { type, text: shown, mentioned } of read.entities ?? [])
    if (type === 'mention' && shown !== undefined && shown !== '' && mentioned !== undefined)
      text = text.replaceAll(
        shown,
        mentioned.id === read.recipient?.id ? ' ' : ` @${objectIds.get(mentioned.id) ?? mentioned.id} `,
      );
  return (
    text
      .replace(/<at[^<>]{0,200}>([^<>]{0,300})<\/at>/g, '$1')
      .replace(/<br\s*\/?>|<\/?(?:p|div|span)[^<>]{0,200}>/g, ' ')
      .replace(/&nbsp;|\u00a0/g, ' ')
      .replace(/&lt;/g, '<')
      .replace(/&gt;/g, '>')
      .replace(/&quot;/g, '"')
      .replace(/&#39;/g, "'")
      .replace(/&amp;/g, '&')
      .trim()
      // The command's own word, for those who know it from Slack or write the bot's name by hand.
      .replace(/^(?:\/access|@?hallpass)(?:\s+|$)/i, '')
  );
}
