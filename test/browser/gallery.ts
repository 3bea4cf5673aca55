/** One message and one dialog with every block and element that the page draws, posted by the bot's own token. */
import { SECRETS, SECURITY, type World } from '../../src/sandbox/world.ts';

type Fields = Readonly<Record<string, unknown>>;

const plain = (text: string) => ({ type: 'plain_text', text, emoji: false });
const option = (text: string, value = text) => ({ text: plain(text), value });
export const MARKUP = '*bold* _it_ <https://example.com|link> <!here> &lt;b&gt;';

export const MESSAGE: readonly Fields[] = [
  { type: 'header', text: plain(`Header ${MARKUP}`) },
  { type: 'section', block_id: 'plain', text: plain(MARKUP) },
  {
    type: 'section',
    block_id: 'mrkdwn',
    text: { type: 'mrkdwn', text: `${MARKUP} ~gone~ \`code\` <@U0ANA>\n>quoted\nafter` },
  },
  { type: 'section', block_id: 'evil', text: { type: 'mrkdwn', text: '<javascript:alert(1)|press me> <img src=x>' } },
  { type: 'section', fields: [plain('First field'), { type: 'mrkdwn', text: '*Second* field' }] },
  { type: 'divider' },
  {
    type: 'rich_text',
    elements: [
      {
        type: 'rich_text_section',
        elements: [
          { type: 'text', text: 'bold ', style: { bold: true } },
          { type: 'text', text: 'code', style: { code: true } },
          { type: 'text', text: ' ' },
          { type: 'user', user_id: 'U0BEN' },
          { type: 'link', url: 'https://example.com', text: ' a link' },
        ],
      },
      {
        type: 'rich_text_list',
        style: 'bullet',
        elements: ['one', 'two'].map((text) => ({ type: 'rich_text_section', elements: [{ type: 'text', text }] })),
      },
      {
        type: 'rich_text_list',
        style: 'ordered',
        elements: ['first', 'second'].map((text) => ({
          type: 'rich_text_section',
          elements: [{ type: 'text', text }],
        })),
      },
      { type: 'rich_text_quote', elements: [{ type: 'text', text: 'a quote' }] },
      { type: 'rich_text_preformatted', elements: [{ type: 'text', text: 'select 1;\n  -- as it stands' }] },
    ],
  },
  {
    type: 'section',
    text: plain('A section with a menu'),
    accessory: { type: 'overflow', action_id: 'more', options: [option('Extend'), option('Return')] },
  },
  {
    type: 'actions',
    block_id: 'actions',
    elements: [
      { type: 'button', action_id: 'plainly', text: plain('Plain'), value: 'v' },
      { type: 'button', action_id: 'primary', text: plain('Primary'), style: 'primary', value: 'v' },
      {
        type: 'button',
        action_id: 'danger',
        text: plain('Danger'),
        style: 'danger',
        value: 'v',
        confirm: {
          title: plain('Really?'),
          text: plain('It cannot be undone.'),
          confirm: plain('Do it'),
          deny: plain('Keep'),
        },
      },
      {
        type: 'static_select',
        action_id: 'choose',
        placeholder: plain('Choose a resource'),
        option_groups: [
          { label: plain('Databases'), options: [option('db-prod'), option('db-test')] },
          { label: plain('Clusters'), options: [option('k8s-eu')] },
        ],
      },
    ],
  },
  { type: 'context', elements: [plain('Context in plain text'), { type: 'mrkdwn', text: 'and in *markup*' }] },
];

export async function post(world: World, blocks: readonly Fields[]): Promise<void> {
  const response = await fetch(new URL('chat.postMessage', world.slack.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${SECRETS.botToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ channel: SECURITY, text: 'A gallery', blocks }),
  });
  const answer = (await response.json()) as { ok: boolean };
  if (!answer.ok) throw new Error(JSON.stringify(answer));
}
