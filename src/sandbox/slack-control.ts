/** What a test, or the sandbox, may order the local Slack to do: break, and change behind the bot's back. */
import type { Socket } from 'node:net';
import { content, newView } from './slack-methods.ts';
import {
  type Fields,
  type SlackChannel,
  type SlackGroup,
  type SlackUser,
  type SlackView,
  type SlackWorld,
  userOf,
} from './slack-state.ts';

/** Laid for the next `times` calls of a method (`*`: any; `response_url`: those), consumed one by one. */
export interface SlackFault {
  readonly method: string;
  readonly kind: 'rate_limited' | 'server_error' | 'slack_error' | 'hang' | 'reset' | 'latency';
  times: number;
  /** The call takes effect first, and only its answer is lost. */
  readonly after?: boolean;
  readonly retryAfterSeconds?: number;
  readonly status?: number;
  readonly error?: string;
  readonly ms?: number;
}

export type SlackControl =
  /** While down, every connection is cut. */
  | { readonly do: 'down'; readonly down: boolean }
  | ({ readonly do: 'fault'; readonly times?: number } & Omit<SlackFault, 'times'>)
  | { readonly do: 'clear_faults' }
  | { readonly do: 'clear_log' }
  | { readonly do: 'set_channel'; readonly channel: Partial<SlackChannel> & { readonly id: string } }
  | {
      readonly do: 'set_user';
      readonly user: Partial<Omit<SlackUser, 'profile'>> & { readonly id: string; readonly email?: string };
    }
  | { readonly do: 'set_group'; readonly group: Partial<SlackGroup> & { readonly id: string } }
  | { readonly do: 'delete_message'; readonly channel: string; readonly ts: string }
  /** A person does something: gives what Slack would send along with it. Without a channel, the person's own with the bot. */
  | {
      readonly do: 'interaction';
      readonly user: string;
      readonly channel?: string;
      readonly message?: { readonly channel: string; readonly ts: string };
    }
  /** What the bot answered to a slash command in the acknowledgement itself. */
  | {
      readonly do: 'acknowledged';
      readonly user: string;
      readonly channel: string;
      readonly body: Fields;
      readonly responseId?: string;
    }
  /** What becomes of a view after its submission was acknowledged, or when the person closes it. */
  | { readonly do: 'settle_view'; readonly id: string; readonly state: SlackView['state']; readonly view?: Fields }
  /** Shows one more view on top, as `response_action: push` does. */
  | { readonly do: 'push_view'; readonly user: string; readonly view: Fields };

export interface Controlled {
  readonly world: SlackWorld;
  readonly faults: SlackFault[];
  readonly mode: { down: boolean };
  readonly origin: string;
  readonly sockets: ReadonlySet<Socket>;
}

/** Throws with a plain message when the order names something that is not there. */
export function control({ world, faults, mode, origin, sockets }: Controlled, order: SlackControl): Fields {
  const { state } = world;
  switch (order.do) {
    case 'down':
      mode.down = order.down;
      // Kept-alive connections would otherwise be the one thing that survives an outage; the one that carries
      // this order is spared by cutting only after its answer has left.
      if (order.down) setImmediate(() => sockets.forEach((socket) => void socket.end()));
      break;
    case 'fault': {
      const { do: _do, times = 1, ...fault } = order;
      faults.push({ ...fault, times });
      break;
    }
    case 'clear_faults':
      faults.length = 0;
      break;
    case 'clear_log':
      state.requests = [];
      break;
    case 'set_channel':
      state.channels = replaced(state.channels, order.channel, 'channel');
      break;
    case 'set_user': {
      const { email, ...change } = order.user;
      const known = world.user(change.id);
      const user =
        known === undefined
          ? userOf({ name: change.id.toLowerCase(), ...order.user }, state.team.id)
          : { ...known, ...change, profile: email === undefined ? known.profile : { ...known.profile, email } };
      state.users = [...state.users.filter((other) => other.id !== user.id), user];
      break;
    }
    case 'set_group':
      state.usergroups = replaced(state.usergroups, order.group, 'user group');
      break;
    case 'delete_message': {
      const message = world.message(order.channel, order.ts);
      if (message === undefined) throw new Error(`no message ${order.channel} ${order.ts}`);
      world.putMessage({ ...message, deleted: true });
      break;
    }
    case 'interaction': {
      const user = world.user(order.user);
      if (user === undefined) throw new Error(`no user ${order.user}`);
      const channel = world.channel(order.channel ?? world.directMessage(order.user).id);
      if (channel === undefined) throw new Error(`no channel ${order.channel}`);
      if (!channel.members.includes(order.user)) throw new Error(`${order.user} is not in ${channel.id}`);
      const made = world.interaction(order.user, channel.id, order.message);
      return {
        trigger_id: made.triggerId,
        response_id: made.responseId,
        response_url: `${origin}/response/${made.responseId}`,
        user,
        channel: { id: channel.id, name: channel.name },
        team: state.team,
        bot: state.bot,
      };
    }
    case 'acknowledged': {
      const said = content(world, order.body);
      if ('error' in said) throw new Error(`Slack would not show this acknowledgement: ${JSON.stringify(said)}`);
      world.putEphemeral({
        ts: world.ts(),
        user: order.user,
        channel: order.channel,
        ...said,
        via: 'ack',
        ...(order.responseId !== undefined && { responseId: order.responseId }),
        replaceOriginal: false,
        deleteOriginal: false,
      });
      return {};
    }
    case 'settle_view': {
      const view = state.views.find((candidate) => candidate.id === order.id);
      if (view === undefined) throw new Error(`no view ${order.id}`);
      world.putView(
        order.view === undefined
          ? { ...view, state: order.state }
          : { ...newView(world, order.view, view.user, order.state), id: view.id },
      );
      return {};
    }
    case 'push_view': {
      const view = newView(world, order.view, order.user, 'open');
      world.putView(view);
      return { id: view.id };
    }
  }
  world.changed();
  return { ok: true };
}

function replaced<T extends { readonly id: string }>(
  all: readonly T[],
  change: Partial<T> & { readonly id: string },
  what: string,
): readonly T[] {
  if (!all.some((one) => one.id === change.id)) throw new Error(`no ${what} ${change.id}`);
  return all.map((one) => (one.id === change.id ? { ...one, ...change } : one));
}
