/** What the stories of the sandbox have in common: how they read what people were told, and the trail. */
import { createHash } from 'node:crypto';
import { verifyChain } from '../audit/chain.ts';
import { openStore } from '../store/database.ts';
import { button, dmsOf, messagesIn, textOf } from './slack-reading.ts';
import type { SlackEphemeral, SlackMessage } from './slack-state.ts';
import { APPROVALS, type Name, PEOPLE, type World } from './world.ts';

/** For what a healthy bot says within a second, on a machine that has other things to do. */
export const WAIT_MS = 8_000;
const CHAIN_PAGE = 500;

/** The request's id as it was said. */
export function idIn(said: SlackEphemeral): string {
  const id = /R-[0-9A-Z]{4,6}/.exec(textOf(said))?.[0];
  if (id === undefined) throw new Error(`no request id in: ${textOf(said)}`);
  return id;
}

/** The approval message in the approvals channel. */
export function card(world: World, id: string): Promise<SlackMessage> {
  return world.slack.waitFor(
    (state) =>
      messagesIn(state, APPROVALS).find(
        (message) => textOf(message).includes(id) && button(message, 'approve') !== undefined,
      ),
    WAIT_MS,
    `the approval message of ${id}`,
  );
}

export function dmSaying(world: World, name: Name, words: RegExp): Promise<SlackMessage> {
  return world.slack.waitFor(
    (state) => dmsOf(state, PEOPLE[name].slack).findLast((message) => words.test(message.text)),
    WAIT_MS,
    `${words} said to ${PEOPLE[name].name}`,
  );
}

export function firstLine(message: SlackMessage): string {
  return message.text.split('\n')[0] ?? '';
}

export function firstText(said: SlackEphemeral): string {
  return textOf(said).split('\n')[0] ?? '';
}

export function saying(said: SlackEphemeral, words: RegExp): string {
  const text = textOf(said);
  if (!words.test(text)) throw new Error(`expected ${words} to be said, and it was: ${text}`);
  return firstText(said);
}

/** What time it is for the bot, which never goes back behind what it has written down. */
export async function botTime(world: World): Promise<number> {
  const store = await openBeside(world);
  try {
    return Math.max(Date.now() + world.clockOffsetMs, (await store.newestEventAt()) ?? 0);
  } finally {
    await store.close();
  }
}

function openBeside(world: World) {
  const salt = () => {
    throw new Error('a story only reads');
  };
  return openStore({ url: world.databaseUrl, now: Date.now, hash: sha256, salt });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Reads the trail as it is stored, beside the running bot. */
export async function chainOf(world: World): Promise<string> {
  const store = await openBeside(world);
  try {
    let after = { seq: 0, hash: '0'.repeat(64) };
    for (;;) {
      const links = await store.chain(after.seq, CHAIN_PAGE);
      const bad = verifyChain(links, sha256, after);
      if (bad !== undefined) throw new Error(`the audit chain is broken at event ${bad}`);
      const last = links.at(-1);
      if (last === undefined) return `${after.seq} events, from the first to ${after.hash.slice(0, 12)}…`;
      after = { seq: last.seq, hash: last.hash };
    }
  } finally {
    await store.close();
  }
}
