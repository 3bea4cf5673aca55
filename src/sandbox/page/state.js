// What the page knows: the parts it was told, who the person is being, and what that person has read.

/** @typedef {{ key: string, conversation: string, ts: string, at: number, text: string, blocks: any[], revision: number, user?: string, kind?: string }} Entry */

/** @type {Map<string, any>} */
export const parts = new Map();

export const me = { as: 'ana', user: '', name: '', conversation: 'dm' };

/** Per person: what was on the screen. As in Slack, a changed message is no news; those that ring are new ones. @type {Map<string, Set<string>>} */
const read = new Map();

/** @param {string} user */
function readBy(user) {
  const known = read.get(user) ?? new Set();
  read.set(user, known);
  return known;
}

/** `dm` stands for the person's own conversation with Hallpass. @param {string} conversation @param {string} user */
export function named(conversation, user) {
  return conversation === 'dm' ? `dm:${user}` : conversation;
}

/** Everything that a person sees in a conversation, oldest first. @param {string} conversation @param {string} user @returns {Entry[]} */
export function entriesFor(conversation, user) {
  const wanted = named(conversation, user);
  const found = [];
  for (const [key, part] of parts)
    if (
      /^(?:message|ephemeral|note):/.test(key) &&
      part.conversation === wanted &&
      (part.user === undefined || part.user === user)
    )
      found.push({ key, ...part });
  return found.sort((a, b) => Number(a.ts) - Number(b.ts));
}

/** @param {string} conversation @param {string} user */
export function hasUnread(conversation, user) {
  const seen = readBy(user);
  return entriesFor(conversation, user).some((entry) => !entry.key.startsWith('note:') && !seen.has(entry.key));
}

/** @param {string} conversation @param {string} user */
export function markRead(conversation, user) {
  const seen = readBy(user);
  for (const entry of entriesFor(conversation, user)) seen.add(entry.key);
}

/** @param {string} user */
export function homeOf(user) {
  for (const [key, part] of parts)
    if (key.startsWith('view:') && part.type === 'home' && part.user === user) return part;
  return undefined;
}

/** The dialog on top. @param {string} user */
export function dialogOf(user) {
  let top;
  for (const [key, part] of parts)
    if (key.startsWith('view:') && part.type === 'modal' && part.user === user) top = part;
  return top;
}

export const clock = {
  offsetMs: 0,
  now() {
    return Date.now() + clock.offsetMs;
  },
};

/**
 * @param {object} order
 * @returns {Promise<any>} the answer; `ok: false` with words when it did not work
 */
export async function act(order) {
  try {
    const response = await fetch('/sandbox/act', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
    });
    return await response.json();
  } catch {
    return { ok: false, said: 'The sandbox itself has been stopped.' };
  }
}

/** As the person that the page is being. @param {object} order */
export function actAsMe(order) {
  return act({ as: me.as, ...order });
}
