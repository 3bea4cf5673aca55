/**
 * What a person does on the page beyond the buttons of a message: choosing from a menu, and pressing anything inside a
 * dialog or on the bot's home, with what the form holds at that moment. Signed and sent as Slack would.
 */
import { signature } from './slack-people.ts';
import type { SlackRemote } from './slack-server.ts';
import type { Fields, SlackEphemeral, SlackMessage, SlackView } from './slack-state.ts';
import type { Name, World } from './world.ts';
import { PEOPLE, SECRETS } from './world.ts';

/** Slack shows the person `operation_timeout` when the bot takes longer. */
const ACKNOWLEDGE_WITHIN_MS = 3_000;

export interface Gesture {
  readonly as: Name;
  readonly on: SlackMessage | SlackEphemeral | SlackView;
  readonly blockId: string;
  /** The element as the bot sent it. */
  readonly element: Fields;
  /** For a menu: `selected_option` and the like. */
  readonly chosen: Fields;
  /** `state.values`: block id → action id → value. */
  readonly values: Fields;
}

/** The status of the acknowledgement; 0 when there was none in time. Throws when the bot cannot be reached. */
export async function gesture(world: World, { as, on, blockId, element, chosen, values }: Gesture): Promise<number> {
  const user = PEOPLE[as].slack;
  const made = await interaction(world.slack, user, on);
  const { state } = world.slack;
  const payload = {
    type: 'block_actions',
    user: { id: user, username: as, name: as, team_id: state.team.id },
    api_app_id: state.bot.appId,
    token: 'deprecated',
    trigger_id: made.trigger_id,
    team: { id: state.team.id, domain: state.team.domain },
    enterprise: null,
    is_enterprise_install: false,
    ...('view' in on ? inView(world, on, values) : inMessage(on, made, values)),
    actions: [
      {
        action_id: element.action_id,
        block_id: blockId,
        type: element.type,
        ...(element.type === 'button' && { text: element.text, value: element.value, style: element.style }),
        ...chosen,
        action_ts: (Date.now() / 1000).toFixed(6),
      },
    ],
  };
  const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
  try {
    const response = await fetch(`http://127.0.0.1:${world.bot?.port ?? 0}/slack/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...signature(SECRETS.signingSecret, body) },
      body,
      signal: AbortSignal.timeout(ACKNOWLEDGE_WITHIN_MS),
    });
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    if (error instanceof Error && error.name === 'TimeoutError') return 0;
    throw error;
  }
}

interface Interaction {
  readonly trigger_id: string;
  readonly response_url: string;
  readonly channel: { readonly id: string; readonly name: string };
}

async function interaction(slack: SlackRemote, user: string, on: Gesture['on']): Promise<Interaction> {
  const made = await slack.control({
    do: 'interaction',
    user,
    ...('channel' in on && { channel: on.channel }),
    ...('bot_id' in on && { message: { channel: on.channel, ts: on.ts } }),
  });
  return made as unknown as Interaction;
}

function inMessage(on: SlackMessage | SlackEphemeral, made: Interaction, values: Fields): Fields {
  const ephemeral = 'via' in on;
  return {
    container: { type: 'message', message_ts: on.ts, channel_id: on.channel, is_ephemeral: ephemeral },
    channel: made.channel,
    ...(!ephemeral && {
      message: { type: 'message', user: on.user, bot_id: on.bot_id, ts: on.ts, text: on.text, blocks: on.blocks },
    }),
    state: { values },
    response_url: made.response_url,
  };
}

function inView(world: World, on: SlackView, values: Fields): Fields {
  const { team, bot } = world.slack.state;
  return {
    container: { type: 'view', view_id: on.id },
    view: {
      callback_id: '',
      private_metadata: '',
      external_id: '',
      previous_view_id: null,
      ...on.view,
      id: on.id,
      team_id: team.id,
      app_id: bot.appId,
      bot_id: bot.botId,
      root_view_id: on.id,
      hash: on.hash,
      state: { values },
    },
  };
}
