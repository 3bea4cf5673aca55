/**
 * What this room needs of the Bot Framework, in a few words of our own: its SDK is archived, and one file knows it.
 * Calls throw whatever the SDK throws; `calls.ts` turns that into `MessengerError`.
 */

/** An activity as it is sent; the platform's own JSON. */
export type Outgoing = Readonly<Record<string, unknown>>;

export interface Wire {
  /** Whether Bot Framework itself posted this, for this bot, from that address. Throws when it did not, or nobody can tell. */
  authenticate(
    authorization: string,
    activity: { readonly channelId: string; readonly serviceUrl: string },
  ): Promise<void>;
  /** Ids of the conversation and of the message in it. */
  send(to: Address, activity: Outgoing, signal: AbortSignal): Promise<{ readonly id?: string }>;
  update(to: Address, activityId: string, activity: Outgoing, signal: AbortSignal): Promise<void>;
  /** A conversation with one person, or a new thread in a channel with this as its first message. */
  open(
    serviceUrl: string,
    what: Outgoing,
    signal: AbortSignal,
  ): Promise<{ readonly id?: string; readonly activityId?: string }>;
  member(to: Address, id: string, signal: AbortSignal): Promise<unknown>;
  /** A page of the roster, and what asks for the next one. */
  members(
    to: Address,
    continuation: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly members?: unknown; readonly continuationToken?: unknown }>;
}

export interface Address {
  readonly serviceUrl: string;
  readonly conversation: string;
}

/** The credentials did not hold: nobody knows who sent it. */
export class Unauthenticated extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Unauthenticated';
  }
}

/** Hosts that Microsoft answers for; our token goes nowhere else. */
const HOSTS: readonly RegExp[] = [
  /^smba\.trafficmanager\.net$/,
  /^(?:[a-z0-9-]+\.)*botframework\.com$/,
  /^smba\.infra\.gcc\.teams\.microsoft\.com$/,
  /^smba\.infra\.gov\.teams\.microsoft\.us$/,
  /^(?:[a-z0-9-]+\.)*botframework\.azure\.us$/,
];

/** `local`: this machine instead, for a bot that was told to run without credentials. */
export function isServiceUrl(url: string, local: boolean): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, username, password, port } = new URL(url);
  if (username !== '' || password !== '') return false;
  if (local) return protocol === 'http:' && (hostname === '127.0.0.1' || hostname === 'localhost');
  return protocol === 'https:' && port === '' && HOSTS.some((host) => host.test(hostname));
}
