/** Posts and updates cards, and says late answers. */
import type { AccountRef } from '../../access/model.ts';
import {
  type Clock,
  type MessageTarget,
  type Messenger,
  MessengerError,
  type Replier,
  type ReplyTo,
} from '../../access/ports.ts';
import type { MessageView } from '../../access/view.ts';
import type { Calls } from './calls.ts';
import type { Mentioned, Rendered } from './card.ts';
import type { Places } from './places.ts';
import { COMMAND_WORD, renderAnswer, renderMessage, renderNote } from './render.ts';
import type { Address, Outgoing } from './wire.ts';

/** Somebody who blocked the bot is tried again after this: they need not tell us that they have let it in again. */
const CLOSED_MS = 10 * 60_000;

export interface MessengerOptions {
  readonly calls: Calls;
  readonly places: Places;
  readonly tenants: readonly string[];
  readonly clock: Clock;
  readonly zone: () => string;
}

export interface Out {
  readonly messenger: Messenger;
  readonly replier: Replier;
  /** Shows something to one person alone; where that cannot be, says so where they asked. Throws `MessengerError`. */
  tell(reply: ReplyTo, rendered: Rendered): Promise<void>;
  /** Shows something in a conversation that a verified activity came from. */
  sayIn(conversation: string, rendered: Rendered): Promise<void>;
}

export function createMessenger({ calls, places, tenants, clock, zone }: MessengerOptions): Out {
  /** Where Teams is reached for a conversation of ours. */
  async function service(): Promise<{ readonly tenant: string; readonly serviceUrl: string }> {
    for (const tenant of tenants) {
      const place = await places.tenant(tenant);
      if (place !== undefined) return { tenant, serviceUrl: place.serviceUrl };
    }
    throw new MessengerError(
      'unavailable',
      'nothing has come from Teams yet, so it is not known where to post; add the app to the team',
    );
  }

  async function personal(account: AccountRef): Promise<Address> {
    if (account.platform !== 'teams') throw new MessengerError('rejected', 'the account is not a Teams account');
    const place = await places.person(account);
    if (place?.closedAt !== undefined && clock.now() - place.closedAt < CLOSED_MS)
      throw new MessengerError('rejected', 'the person has not added the Hallpass app, or has blocked it', {
        missing: 'conversation',
      });
    const serviceUrl = place?.serviceUrl ?? (await service()).serviceUrl;
    if (place?.conversation !== undefined) return { serviceUrl, conversation: place.conversation };
    const conversation = await calls.openPersonal(serviceUrl, account.tenant, place?.user ?? account.id);
    await places.learnPerson(account, { serviceUrl, personal: conversation });
    return { serviceUrl, conversation };
  }

  /** A conversation with one person that turns out to be closed is remembered as such. */
  async function toPerson<T>(account: AccountRef, ask: (to: Address) => Promise<T>): Promise<T> {
    try {
      return await ask(await personal(account));
    } catch (error) {
      if (error instanceof MessengerError && error.missing === 'conversation') await places.closePerson(account);
      throw error;
    }
  }

  async function named(accounts: readonly AccountRef[]): Promise<readonly (Mentioned & { readonly user?: string })[]> {
    const found = await Promise.all(
      accounts.map(async (account) => {
        const place = await places.person(account);
        // Whom Teams has told nothing about cannot be named.
        if (place?.name === undefined) return undefined;
        return { account, name: place.name, ...(place.user === undefined ? {} : { user: place.user }) };
      }),
    );
    return found.filter((one) => one !== undefined);
  }

  async function draw(view: MessageView): Promise<Rendered> {
    const context = { now: clock.now(), zone: zone() };
    if (view.kind !== 'request' || view.audience !== 'channel') return renderMessage(view, context);
    const [mention, unreached] = await Promise.all([named(view.mention ?? []), named(view.unreached ?? [])]);
    const answerers = mention.flatMap(({ user }) => (user === undefined ? [] : [user]));
    return renderMessage(view, { ...context, mention, unreached, answerers });
  }

  async function post(to: MessageTarget, view: MessageView): Promise<{ conversation: string; ts: string }> {
    const activity = activityOf(await draw(view));
    if ('account' in to) return toPerson(to.account, (place) => calls.send(place, activity));
    const { tenant, serviceUrl } = await service();
    const address = { serviceUrl, conversation: to.conversation };
    return isChannel(to.conversation) ? calls.openThread(address, tenant, activity) : calls.send(address, activity);
  }

  async function sayIn(conversation: string, rendered: Rendered): Promise<void> {
    const { serviceUrl } = await service();
    await calls.send({ serviceUrl, conversation }, activityOf(rendered));
  }

  async function tell(reply: ReplyTo, rendered: Rendered): Promise<void> {
    try {
      await toPerson(reply.account, (place) => calls.send(place, activityOf(rendered)));
    } catch (error) {
      if (reply.url === undefined || !(error instanceof MessengerError) || error.missing !== 'conversation')
        throw error;
      // The answer itself is for one person; here everybody would read it.
      const name = (await places.person(reply.account))?.name ?? 'You asked';
      const note = `${name}: Hallpass answers in your own chat with it, and cannot write to you there. Add the Hallpass app for yourself (Apps, then Hallpass, then Add), and ask again.`;
      await sayIn(reply.url, renderNote(note));
    }
  }

  return {
    tell,
    sayIn,
    messenger: {
      platform: 'teams',
      post,
      find: () => Promise.reject(new MessengerError('rejected', 'Teams lets no bot look for its own messages')),
      roomIn(to) {
        if (to === 'update' || 'account' in to) return calls.roomIn();
        return calls.roomIn(to.conversation);
      },
      async update(at, view) {
        const { serviceUrl } = await service();
        await calls.update({ serviceUrl, conversation: at.conversation }, at.ts, activityOf(await draw(view), at.ts));
      },
    },
    replier: {
      platform: 'teams',
      say: (reply, answer) =>
        tell(reply, renderAnswer(answer, { now: clock.now(), zone: zone(), commandWord: COMMAND_WORD })),
    },
  };
}

/** Channels hold threads; group chats do not. */
function isChannel(conversation: string): boolean {
  return /@thread\.(?:tacv2|skype)$/.test(conversation);
}

export function attachment(rendered: Rendered): Outgoing {
  return { contentType: 'application/vnd.microsoft.card.adaptive', content: rendered.card };
}

function activityOf(rendered: Rendered, id?: string): Outgoing {
  return {
    type: 'message',
    ...(id === undefined ? {} : { id }),
    // What a notification says; never shown as the message's own text.
    summary: rendered.summary,
    attachments: [attachment(rendered)],
  };
}
