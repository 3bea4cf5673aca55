/**
 * What the page is told, in parts: one for each message, answer and dialog, one for the directory, the trail and the
 * machinery. A listener gets those that changed since it was last told; a part that is gone is told as null.
 */
import type { Grant } from '../access/model.ts';
import type { Recorded } from './page-record.ts';
import type { Fields, SlackState } from './slack-state.ts';
import { GOOGLE_GROUP, GROUPS, type Name, nameOfUser, oktaSeed, PEOPLE } from './world.ts';

export type Parts = ReadonlyMap<string, unknown>;

/** Something the page itself says in a conversation, to one person alone. */
export interface PageNote {
  readonly id: number;
  readonly as: Name;
  readonly conversation: string;
  readonly at: number;
  /** `typed`: what that person sent; `note`: why nothing came of it. */
  readonly kind: 'typed' | 'note';
  readonly text: string;
}

export interface Machinery {
  readonly bot: 'running' | 'stopped' | 'changing';
  readonly okta: 'up' | 'down';
  readonly google: 'up' | 'down';
  readonly slack: 'up' | 'down';
  readonly clockOffsetMs: number;
}

const MESSAGES_SHOWN = 200;

export function partsOf(seen: {
  readonly slack: SlackState;
  /** Group id → member ids, as they hold. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly recorded: Recorded;
  readonly machinery: Machinery;
  readonly notes: readonly PageNote[];
  /** When something was posted, on the sandbox's clock. */
  readonly postedAt: (ts: string) => number;
}): Parts {
  const { slack, recorded } = seen;
  const parts = new Map<string, unknown>();
  parts.set('machinery', seen.machinery);
  parts.set('directory', directory(seen.groups, recorded.grants));
  parts.set('trail', { events: recorded.events, lines: recorded.trail });
  parts.set('tried', recorded.tried);
  for (const message of slack.messages.filter(({ deleted }) => !deleted).slice(-MESSAGES_SHOWN))
    parts.set(`message:${message.channel}:${message.ts}`, {
      conversation: conversationOf(slack, message.channel),
      ts: message.ts,
      at: seen.postedAt(message.ts),
      text: [message.text, ...(message.files ?? []).map(({ title }) => `File: ${title}`)].filter(Boolean).join('\n'),
      blocks: message.blocks,
      revision: message.revision,
    });
  for (const shown of ephemeralsShown(slack))
    parts.set(`ephemeral:${shown.ts}`, {
      conversation: conversationOf(slack, shown.channel),
      user: shown.user,
      ts: shown.ts,
      at: seen.postedAt(shown.ts),
      text: shown.text,
      blocks: shown.blocks,
      revision: 0,
    });
  for (const note of seen.notes)
    parts.set(`note:${note.id}`, { ...note, user: PEOPLE[note.as].slack, ts: String(note.at / 1000) });
  for (const view of slack.views)
    if (view.state === 'open' || view.state === 'published')
      parts.set(`view:${view.id}`, { id: view.id, hash: view.hash, user: view.user, type: view.type, view: view.view });
  return parts;
}

/** `dm:<user>` for a person's conversation with Hallpass: its id does not exist before the first word. */
function conversationOf(slack: SlackState, channel: string): string {
  const found = slack.channels.find(({ id }) => id === channel);
  return found?.is_im === true ? `dm:${found.user}` : channel;
}

/** Without those that a later answer to the same command or click replaced or took away. */
function ephemeralsShown(slack: SlackState): SlackState['ephemerals'] {
  const shown = new Map<string, SlackState['ephemerals'][number]>();
  for (const answer of slack.ephemerals.slice(-MESSAGES_SHOWN)) {
    if ((answer.replaceOriginal || answer.deleteOriginal) && answer.responseId !== undefined)
      for (const [ts, earlier] of shown) if (earlier.responseId === answer.responseId) shown.delete(ts);
    if (!answer.deleteOriginal) shown.set(answer.ts, answer);
  }
  return [...shown.values()];
}

export interface Member {
  readonly name: string;
  readonly state: 'permanent' | 'adding' | 'active' | 'ending' | 'unexplained';
  /** When the last grant that holds it ends. */
  readonly until?: number;
  /** False: approved and not in the group yet. */
  readonly present: boolean;
}

interface Before {
  readonly id: string;
  readonly name: string;
  readonly members: readonly string[];
  readonly directory: 'okta' | 'google';
}

function directory(groups: Readonly<Record<string, readonly string[]>>, grants: readonly Grant[]): Fields {
  const before: readonly Before[] = [
    ...oktaSeed().groups.map((group) => ({ ...group, directory: 'okta' as const })),
    { id: GOOGLE_GROUP.id, name: GOOGLE_GROUP.email, members: [], directory: 'google' },
  ];
  const governed: readonly string[] = [GROUPS.read, GROUPS.admin, GROUPS.payments, GOOGLE_GROUP.id];
  return {
    groups: before.map(({ id, name, members, directory: where }) => {
      const present = groups[id] ?? [];
      const holding = (user: string) =>
        grants.filter(({ memberships }) => memberships.some((m) => m.groupId === id && m.userId === user));
      const waiting = Object.values(PEOPLE)
        .map((person) => person[where])
        .filter((user) => !present.includes(user) && holding(user).some(({ state }) => state === 'adding'));
      return {
        id,
        name,
        directory: where,
        governed: governed.includes(id),
        members: [...present, ...waiting].map((user) =>
          member(user, members.includes(user), present.includes(user), holding(user)),
        ),
      };
    }),
  };
}

function member(user: string, permanent: boolean, present: boolean, grants: readonly Grant[]): Member {
  const name = nameOfUser(user) ?? user;
  if (permanent) return { name, state: 'permanent', present };
  const ends = grants.flatMap(({ state, expiresAt }) =>
    state === 'active' && expiresAt !== undefined ? [expiresAt] : [],
  );
  const state =
    ends.length > 0
      ? 'active'
      : grants.some((grant) => grant.state === 'adding')
        ? 'adding'
        : grants.length > 0
          ? 'ending'
          : 'unexplained';
  return { name, state, present, ...(ends.length > 0 && { until: Math.max(...ends) }) };
}
