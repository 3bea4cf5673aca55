/** Who is on call: the sources that need no service of their own. Each exports the schema of its section of the file. */
import { z } from 'zod';
import type { Accounts, OnCall } from '../access/ports.ts';

export const staticSection = z
  .strictObject({
    type: z.literal('static').describe('A fixed list.'),
    people: z
      .array(z.email().describe('The email of a person, as the identity directory knows it.'))
      .min(1)
      .describe('All of them are on call at the same time.'),
  })
  .describe('A fixed list of people, all of them on call.');

export const slackUserGroupSection = z
  .strictObject({
    type: z.literal('slack-user-group').describe('The members of a Slack user group.'),
    group: z
      .string()
      .regex(/^S[A-Z0-9]{2,}$/, 'must be the id of a Slack user group, such as S012ABCDEF')
      .describe('The id of the user group (S…), not its handle, which members can change.'),
  })
  .describe('The members of a Slack user group. Depending on workspace settings, members may edit it themselves.');

export type StaticSection = z.infer<typeof staticSection>;
export type SlackUserGroupSection = z.infer<typeof slackUserGroupSection>;

export function createStaticOnCall(section: StaticSection): OnCall {
  const entries = section.people.map((email) => ({ email }));
  return { now: async () => entries };
}

/** Throws `MessengerError` when Slack cannot tell. */
export function createSlackUserGroupOnCall(
  section: SlackUserGroupSection,
  accounts: () => Pick<Accounts, 'groupMembers'>,
): OnCall {
  return {
    async now() {
      const members = await accounts().groupMembers(section.group);
      return members.map((account) => ({ account }));
    },
  };
}
