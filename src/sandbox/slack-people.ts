/**
 * A person in front of the local Slack. What they type and press reaches the bot's real endpoint as Slack would send
 * it: signed over the real wall clock, with a fresh `trigger_id` and `response_url`. Works on a Slack in this process
 * (`startSlackServer`) and in another (`connectSlack`) alike.
 */
import { createHmac } from 'node:crypto';
import { fillIn } from './slack-forms.ts';
import { type Button, blocksOf, buttonOf, elementOf, optionOf, textOf } from './slack-reading.ts';
import type { SlackRemote } from './slack-server.ts';
import type { Fields, SlackEphemeral, SlackMessage, SlackState, SlackView } from './slack-state.ts';

/** Slack shows the person `operation_timeout` when the bot takes longer. */
const ACKNOWLEDGE_WITHIN_MS = 3_000;

/** How the bot answered one request of Slack's. */
export interface Reply {
  /** 0: no answer within three seconds. */
  readonly status: number;
  /** The acknowledgement: parsed when it is JSON, its text otherwise, '' when empty. */
  readonly body: unknown;
  /** What this person had been shown in answer by the time the acknowledgement came. */
  readonly ephemerals: readonly SlackEphemeral[];
  /** The first thing said in answer to this, in the acknowledgement or through its `response_url`. */
  said(timeoutMs?: number): Promise<SlackEphemeral>;
  /** The same, and what follows where that was only that it is being looked at. */
  answered(timeoutMs?: number): Promise<SlackEphemeral>;
  /** The dialog that this opened. */
  opened(timeoutMs?: number): Promise<SlackView>;
  /** The very same delivery once more, as after a lost acknowledgement. */
  again(): Promise<{ readonly status: number; readonly body: unknown }>;
}

export interface SlackPerson {
  readonly id: string;
  /** `/access …`, typed in a channel; in the person's own conversation with the bot when none is named. */
  slash(text: string, where?: { readonly channel?: string; readonly command?: string }): Promise<Reply>;
  /** Presses a button of a message as this person saw it, even if the message has changed since. */
  press(on: SlackMessage | SlackEphemeral, actionId: string): Promise<Reply>;
  /** Chooses an option, by its text, of a menu in a message. */
  pick(on: SlackMessage | SlackEphemeral, actionId: string, option: string): Promise<Reply>;
  /** Presses a button inside a dialog or on the bot's home. */
  pressInView(view: SlackView, actionId: string, value?: string): Promise<Reply>;
  /** Chooses an option of a select in a dialog; `values` is what stands in the dialog with it. */
  choose(view: SlackView, actionId: string, values: Readonly<Record<string, string>>): Promise<Reply>;
  /** A global shortcut of the app's. */
  shortcut(callbackId: string): Promise<Reply>;
  /**
   * Fills in and sends a dialog; `values` by action id: the text, the option's value, or Slack's own value object.
   * Throws where Slack's client would not let a person send it (a required input left empty, too short, too long).
   */
  submitView(view: SlackView, values: Readonly<Record<string, string | Fields>>): Promise<Reply>;
  /** The options that an `external_select` offers for what was typed. */
  suggest(view: SlackView, actionId: string, typed: string): Promise<Reply>;
  openHome(): Promise<Reply>;
}

export function createPerson(
  slack: SlackRemote,
  options: {
    readonly signingSecret: string;
    /** The bot's base address; `/slack/events` is added. */
    readonly botUrl: string;
    readonly userId: string;
    /** Where Slack sends this workspace's events from, for pretending to be another workspace. */
    readonly teamId?: string;
  },
): SlackPerson {
  const { userId } = options;
  const endpoint = new URL('/slack/events', options.botUrl).href;

  async function deliver(
    contentType: string,
    body: string,
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    try {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': contentType, ...signature(options.signingSecret, body) },
        body,
        signal: AbortSignal.timeout(ACKNOWLEDGE_WITHIN_MS),
      });
      const text = await response.text();
      const json = response.headers.get('content-type')?.startsWith('application/json') === true;
      return { status: response.status, body: json && text !== '' ? (JSON.parse(text) as unknown) : text };
    } catch (error) {
      if (error instanceof Error && error.name === 'TimeoutError') return { status: 0, body: '' };
      throw error;
    }
  }

  async function interact(channel?: string, message?: { channel: string; ts: string }): Promise<Interaction> {
    const made = await slack.control({
      do: 'interaction',
      user: userId,
      ...(channel !== undefined && { channel }),
      ...(message !== undefined && { message }),
    });
    return made as unknown as Interaction;
  }

  async function send(
    contentType: string,
    body: string,
    made: Interaction | undefined,
    onAcknowledged?: (body: unknown) => Promise<void>,
  ): Promise<Reply> {
    const { views } = await slack.snapshot();
    const openBefore = new Map(views.map((view) => [view.id, view.hash]));
    const answer = await deliver(contentType, body);
    if (answer.status === 200) await onAcknowledged?.(answer.body);
    const mine = (state: SlackState): SlackEphemeral[] =>
      state.ephemerals.filter((shown) => made !== undefined && shown.responseId === made.response_id);
    return {
      ...answer,
      ephemerals: mine(await slack.snapshot()),
      said: (timeoutMs) => slack.waitFor((state) => mine(state)[0], timeoutMs, `an answer to ${userId}`),
      answered: (timeoutMs) =>
        slack.waitFor(
          (state) => mine(state).find((shown) => !textOf(shown).startsWith('Checking…')),
          timeoutMs,
          `an answer to ${userId}`,
        ),
      opened: (timeoutMs) =>
        slack.waitFor(
          (state) =>
            state.views.find(
              (view) => view.user === userId && openBefore.get(view.id) !== view.hash && view.state !== 'closed',
            ),
          timeoutMs,
          `a dialog for ${userId}`,
        ),
      again: () => deliver(contentType, body),
    };
  }

  function sendPayload(
    payload: Fields,
    made: Interaction | undefined,
    done?: (body: unknown) => Promise<void>,
  ): Promise<Reply> {
    const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    return send('application/x-www-form-urlencoded', body, made, done);
  }

  /** What all interactive payloads share. */
  function common(type: string, made: Interaction): Fields {
    return {
      type,
      user: { id: userId, username: made.user.name, name: made.user.name, team_id: made.user.team_id },
      api_app_id: made.bot.appId,
      token: 'deprecated',
      trigger_id: made.trigger_id,
      team: { id: options.teamId ?? made.team.id, domain: made.team.domain },
      enterprise: null,
      is_enterprise_install: false,
    };
  }

  function pressed(button: Button): Fields {
    return {
      action_id: button.action_id,
      block_id: button.block_id,
      type: button.type,
      text: { type: 'plain_text', text: button.text, emoji: true },
      ...(button.value !== undefined && { value: button.value }),
      ...(button.style !== undefined && { style: button.style }),
      action_ts: `${(Date.now() / 1000).toFixed(6)}`,
    };
  }

  /** One action on a message, as this person saw it. */
  async function act(on: SlackMessage | SlackEphemeral, action: Fields): Promise<Reply> {
    const ephemeral = 'via' in on;
    const made = await interact(on.channel, ephemeral ? undefined : { channel: on.channel, ts: on.ts });
    const message = ephemeral
      ? undefined
      : {
          type: 'message',
          user: on.user,
          bot_id: on.bot_id,
          app_id: on.app_id,
          ts: on.ts,
          text: on.text,
          blocks: on.blocks,
          team: made.team.id,
        };
    return sendPayload(
      {
        ...common('block_actions', made),
        container: { type: 'message', message_ts: on.ts, channel_id: on.channel, is_ephemeral: ephemeral },
        channel: { id: made.channel.id, name: made.channel.name },
        ...(message !== undefined && { message }),
        state: { values: {} },
        response_url: made.response_url,
        actions: [action],
      },
      made,
    );
  }

  return {
    id: userId,

    async slash(text, where = {}) {
      const made = await interact(where.channel);
      const form = new URLSearchParams({
        token: 'deprecated',
        team_id: options.teamId ?? made.team.id,
        team_domain: made.team.domain,
        channel_id: made.channel.id,
        channel_name: made.channel.name,
        user_id: userId,
        user_name: made.user.name,
        command: where.command ?? '/access',
        text,
        api_app_id: made.bot.appId,
        is_enterprise_install: 'false',
        response_url: made.response_url,
        trigger_id: made.trigger_id,
      });
      return send('application/x-www-form-urlencoded', form.toString(), made, async (body) => {
        const shown = typeof body === 'string' ? { text: body } : (body as Fields);
        if (shown.text === '' && shown.blocks === undefined) return;
        await slack.control({
          do: 'acknowledged',
          user: userId,
          channel: made.channel.id,
          body: shown,
          responseId: made.response_id,
        });
      });
    },

    async press(on, actionId) {
      return act(on, pressed(buttonOf(on, actionId)));
    },

    async pick(on, actionId, option) {
      return act(on, { ...optionOf(on, actionId, option), action_ts: `${(Date.now() / 1000).toFixed(6)}` });
    },

    async pressInView(view, actionId, value) {
      const button = buttonOf(view.view, actionId, value);
      const made = await interact();
      return sendPayload(
        {
          ...common('block_actions', made),
          container: { type: 'view', view_id: view.id },
          view: viewPayload(view, made, {}),
          actions: [pressed(button)],
        },
        made,
      );
    },

    async choose(view, actionId, values) {
      const { action_id, block_id } = elementOf(view.view, actionId);
      const filled = fillIn(view, values, false);
      const chosen = ((filled[block_id] ?? {}) as Fields)[action_id] as Fields;
      const made = await interact();
      return sendPayload(
        {
          ...common('block_actions', made),
          container: { type: 'view', view_id: view.id },
          view: viewPayload(view, made, filled),
          actions: [{ action_id, block_id, ...chosen, action_ts: `${(Date.now() / 1000).toFixed(6)}` }],
        },
        made,
      );
    },

    async shortcut(callbackId) {
      const made = await interact();
      return sendPayload({ ...common('shortcut', made), callback_id: callbackId, action_ts: '1.000001' }, made);
    },

    async submitView(view, values) {
      const filled = fillIn(view, values);
      const made = await interact();
      const payload = { ...common('view_submission', made), view: viewPayload(view, made, filled), response_urls: [] };
      return sendPayload(payload, made, async (body) => {
        const answer = typeof body === 'object' && body !== null ? (body as Fields) : {};
        const settle = (state: SlackView['state'], next?: Fields): Promise<Fields> =>
          slack.control({ do: 'settle_view', id: view.id, state, ...(next !== undefined && { view: next }) });
        switch (answer.response_action) {
          case 'errors': {
            const inputs = new Set(
              blocksOf(view.view).flatMap((block) => (block.type === 'input' ? [block.block_id] : [])),
            );
            for (const id of Object.keys((answer.errors ?? {}) as Fields))
              if (!inputs.has(id))
                throw new Error(`the bot put an error on ${id}, which is no input block of this dialog`);
            return;
          }
          case 'update':
            await settle('open', answer.view as Fields);
            return;
          case 'push':
            await slack.control({ do: 'push_view', user: userId, view: answer.view as Fields });
            return;
          case undefined:
          case 'clear':
            await settle('submitted');
            return;
          default:
            throw new Error(`the bot answered a dialog with ${JSON.stringify(answer)}`);
        }
      });
    },

    async suggest(view, actionId, typed) {
      const element = elementOf(view.view, actionId);
      const made = await interact();
      return sendPayload(
        {
          ...common('block_suggestion', made),
          container: { type: 'view', view_id: view.id },
          view: viewPayload(view, made, {}),
          action_id: element.action_id,
          block_id: element.block_id,
          value: typed,
        },
        made,
      );
    },

    async openHome() {
      const made = await interact();
      const seconds = Math.floor(Date.now() / 1000);
      const body = {
        token: 'deprecated',
        team_id: options.teamId ?? made.team.id,
        api_app_id: made.bot.appId,
        type: 'event_callback',
        event_id: `Ev${made.response_id.slice(0, 10).toUpperCase()}`,
        event_time: seconds,
        authorizations: [
          {
            enterprise_id: null,
            team_id: made.team.id,
            user_id: made.bot.userId,
            is_bot: true,
            is_enterprise_install: false,
          },
        ],
        is_ext_shared_channel: false,
        event: {
          type: 'app_home_opened',
          user: userId,
          channel: made.channel.id,
          tab: 'home',
          event_ts: `${seconds}.000100`,
        },
      };
      return send('application/json', JSON.stringify(body), made);
    },
  };
}

interface Interaction {
  readonly trigger_id: string;
  readonly response_id: string;
  readonly response_url: string;
  readonly user: { readonly name: string; readonly team_id: string };
  readonly channel: { readonly id: string; readonly name: string };
  readonly team: { readonly id: string; readonly domain: string };
  readonly bot: { readonly appId: string; readonly botId: string; readonly userId: string };
}

/** The two headers by which the bot knows that Slack sent this. `at` is the wall clock in seconds. */
export function signature(secret: string, body: string, at = Math.floor(Date.now() / 1000)): Record<string, string> {
  const mac = createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex');
  return { 'x-slack-request-timestamp': String(at), 'x-slack-signature': `v0=${mac}` };
}

function viewPayload(view: SlackView, made: Interaction, values: Fields): Fields {
  return {
    callback_id: '',
    private_metadata: '',
    external_id: '',
    clear_on_close: false,
    notify_on_close: false,
    close: null,
    submit: null,
    previous_view_id: null,
    ...view.view,
    id: view.id,
    team_id: made.team.id,
    app_id: made.bot.appId,
    app_installed_team_id: made.team.id,
    bot_id: made.bot.botId,
    root_view_id: view.id,
    hash: view.hash,
    state: { values },
  };
}
