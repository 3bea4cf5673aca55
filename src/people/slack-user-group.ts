/** Who is on call by a Slack user group. Weaker than the others: ordinary members may be able to edit it. */
import { z } from 'zod';
import type { Accounts, OnCall } from '../access/ports.ts';

export const slackUserGroupSection = z
  .strictObject({
    type: z.literal('slack-user-group').describe('The members of a Slack user group.'),
    group: z
      .string()
      .regex(/^S[A-Z0-9]{2,}$/, 'must be the id of a Slack user group, such as S012ABCDEF')
      .describe('The id of the user group (S…), not its handle, which members can change.'),
  })
  .describe('The members of a Slack user group. Depending on workspace settings, members may edit it themselves.');

export type SlackUserGroupSection = z.infer<typeof slackUserGroupSection>;

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
