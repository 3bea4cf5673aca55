/** `chat.teams` in the file, and what an id of Teams looks like. */
import { z } from 'zod';

const GUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';

export const GUID_FORM = new RegExp(`^${GUID}$`);

/** `teams:<tenant>/<object id>`, as a key of `people:`. */
export const TEAMS_ACCOUNT = `teams:${GUID}/${GUID}`;

const CONVERSATION_FORM = /^19:[A-Za-z0-9_.-]{1,200}@thread\.(?:tacv2|skype|v2)$/;

export const teamsChannel = z
  .string()
  .regex(
    CONVERSATION_FORM,
    "must be the id of a channel or group chat (19:…@thread.tacv2, in the channel's link), not its name",
  );

export const tenantId = z.string().regex(GUID_FORM, 'must be a tenant id: a GUID in small letters');

export const teamsSection = z
  .strictObject({
    approvals: teamsChannel.describe('Channel in which requests are shown: 19:…@thread.tacv2.'),
    security: teamsChannel.optional().describe('Channel that is told what went wrong. Default: the approvals channel.'),
    tenants: z
      .array(tenantId)
      .min(1)
      .optional()
      .describe('Tenants whose people may act. Default: MICROSOFT_APP_TENANT_ID.'),
  })
  .describe('Microsoft Teams.');

export type TeamsSection = z.output<typeof teamsSection>;
