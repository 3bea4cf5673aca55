/**
 * How Slack's deliveries reach the app: a Bolt `Receiver` of our own as a route of the one HTTP server, and Bolt's for
 * Socket Mode. Nothing passes that Slack did not sign. Why not Bolt's HTTPReceiver: docs/decisions/slack-receiver.md.
 */
import { createHash } from 'node:crypto';
import { type App, type Receiver, type ReceiverEvent, SocketModeReceiver } from '@slack/bolt';
import { type BoltLogger, type Log, said } from './log.ts';
import { type Headers, verifySignature } from './signature.ts';
import { textField } from './web.ts';

/** Under Slack's three seconds by enough for the way back. */
const ACK_DEADLINE_MS = 2_900;
const MAX_BODY = 1024 * 1024;

/** Given with every event under `context.deliveryKey`; unique per delivery, the same for a replay of the same bytes. */
export interface DeliveryProperties extends Record<string, unknown> {
  readonly deliveryKey: string;
}

export interface SlackHttpReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface SlackHttpRoute {
  readonly method: 'POST';
  readonly path: string;
  readonly maxBody: number;
  handle(request: { readonly headers: Headers; readonly body: Buffer }): Promise<SlackHttpReply>;
}

export interface HttpReceiverOptions {
  readonly signingSecret: string;
  /** The real wall clock: a signature's age is not measured in anybody's simulated time. */
  readonly wallClock: () => number;
  readonly logger: Log;
  /** Told what became of each delivery. */
  readonly count: (outcome: string) => void;
  readonly ackDeadlineMs?: number;
  readonly path?: string;
}

export function createHttpReceiver(options: HttpReceiverOptions): { receiver: Receiver; route: SlackHttpRoute } {
  if (options.signingSecret === '') throw new Error('the Slack signing secret is empty');
  let app: App | undefined;

  async function handle(request: { readonly headers: Headers; readonly body: Buffer }): Promise<SlackHttpReply> {
    const verdict = verifySignature(options.signingSecret, request.headers, request.body, options.wallClock());
    if ('untrusted' in verdict) {
      options.count(`untrusted_${verdict.untrusted}`);
      return { status: 401 };
    }
    const body = readPayload(request.headers, request.body);
    if (typeof body === 'number') {
      options.count(body === 415 ? 'unsupported' : 'malformed');
      return refusedForGood(body);
    }
    if (body.ssl_check === '1') return { status: 200 };
    if (body.type === 'url_verification')
      return typeof body.challenge === 'string' ? json({ challenge: body.challenge }) : refusedForGood(400);
    const key = eventKey(body) ?? deliveryKey(verdict.timestamp, request.body);
    return dispatch(body, key, request.headers);
  }

  function dispatch(body: Record<string, unknown>, key: string, headers: Headers): Promise<SlackHttpReply> {
    return new Promise((resolve) => {
      let acked = false;
      const reply = (outcome: string, answer: SlackHttpReply) => {
        if (acked) return;
        acked = true;
        clearTimeout(late);
        options.count(outcome);
        resolve(answer);
      };
      const late = setTimeout(() => reply('late', stillWorking(body)), options.ackDeadlineMs ?? ACK_DEADLINE_MS);
      const retry = Number(headers['x-slack-retry-num']?.[0]);
      const reason = headers['x-slack-retry-reason']?.[0];
      const properties: DeliveryProperties = { deliveryKey: key };
      const event: ReceiverEvent = {
        body,
        ack: async (answer: unknown) => reply('acknowledged', answered(answer)),
        customProperties: properties,
        ...(Number.isInteger(retry) ? { retryNum: retry } : {}),
        ...(reason === undefined ? {} : { retryReason: reason }),
      };
      (app?.processEvent(event) ?? Promise.reject(new Error('the receiver was not given an app'))).then(
        // Nobody listens to this kind: waiting for the deadline would only hold Slack's connection.
        () => reply('ignored', { status: 200 }),
        (error: unknown) => {
          options.logger.warn({ error: said(error) }, 'a Slack delivery could not be read');
          reply('malformed', refusedForGood(400));
        },
      );
    });
  }

  return {
    receiver: {
      init: (given) => {
        app = given;
      },
      // The socket belongs to the HTTP server, which is started and stopped for all routes together.
      start: async () => undefined,
      stop: async () => undefined,
    },
    route: { method: 'POST', path: options.path ?? '/slack/events', maxBody: MAX_BODY, handle },
  };
}

export interface SocketReceiverOptions {
  readonly appToken: string;
  readonly logger: Log;
  readonly boltLogger: BoltLogger;
  readonly slackApiUrl?: string;
}

/** Socket Mode: Bolt's own receiver and its own acknowledgement; there are no signatures, the connection is ours. */
export function createSocketReceiver(options: SocketReceiverOptions): SocketModeReceiver {
  return new SocketModeReceiver({
    appToken: options.appToken,
    logger: options.boltLogger,
    installerOptions: {
      clientOptions: {
        allowAbsoluteUrls: false,
        ...(options.slackApiUrl === undefined ? {} : { slackApiUrl: options.slackApiUrl }),
      },
    },
    customPropertiesExtractor: ({ body }: { body?: unknown }): DeliveryProperties => ({
      deliveryKey: eventKey(body) ?? deliveryKey('', Buffer.from(JSON.stringify(body ?? null))),
    }),
    processEventErrorHandler: async ({ error }) => {
      options.logger.warn({ error: said(error) }, 'a Slack delivery could not be read');
      // It would be as unreadable the second time.
      return true;
    },
  });
}

/** The timestamp is part of it: a person who types the same words again means them again. */
export function deliveryKey(timestamp: string, body: Buffer): string {
  return `slack:${createHash('sha256').update(timestamp).update('\n').update(body).digest('hex')}`;
}

const EVENT_ID_MAX = 100;

/** An event has an id of its own, which a retry keeps although it is signed anew. */
function eventKey(body: unknown): string | undefined {
  const id = textField(body, 'event_id');
  return textField(body, 'type') === 'event_callback' && id !== undefined && id.length <= EVENT_ID_MAX
    ? `slack:event:${id}`
    : undefined;
}

/** The payload as an object, or the HTTP status that refuses it. */
function readPayload(headers: Headers, raw: Buffer): Record<string, unknown> | 400 | 415 {
  const types = headers['content-type'];
  const type = types?.length === 1 ? types[0]?.split(';', 1)[0]?.trim().toLowerCase() : undefined;
  if (type !== 'application/x-www-form-urlencoded' && type !== 'application/json') return 415;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(raw);
    if (type === 'application/json') return record(JSON.parse(text));
    const form = new URLSearchParams(text);
    const payload = form.get('payload');
    return payload === null ? record(Object.fromEntries(form)) : record(JSON.parse(payload));
  } catch {
    return 400;
  }
}

function record(value: unknown): Record<string, unknown> | 400 {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
    ? (value as Record<string, unknown>)
    : 400;
}

function answered(answer: unknown): SlackHttpReply {
  if (answer === undefined || answer === null || answer === '') return { status: 200 };
  if (typeof answer === 'string') return { status: 200, body: answer };
  return json(answer);
}

/** No deadline of ours is shown to a person as an error: the work goes on, and its answer follows. */
function stillWorking(body: Record<string, unknown>): SlackHttpReply {
  if (typeof body.command !== 'string') return { status: 200 };
  return json({ response_type: 'ephemeral', text: 'Hallpass is still working on this. The answer follows.' });
}

function json(value: unknown): SlackHttpReply {
  return { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(value) };
}

/** The same bytes would be refused again, so Slack need not send them again. */
function refusedForGood(status: number): SlackHttpReply {
  return { status, headers: { 'x-slack-no-retry': '1' } };
}
