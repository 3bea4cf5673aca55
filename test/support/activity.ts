/** A source of activity, as a bastion or a forwarder of logs would be. */
import { HEADERS, signBody } from '../../src/activity/signature.ts';

export const ACTIVITY_SECRET = 'a secret that nobody may see';

/** A file's `activity` section with one source that sends. */
export const BASTION = `activity:
  bastion: { type: ingest, secret: "\${BASTION_SECRET}" }
aliases: { ana@example.com: [ ana_ro ] }
`;

/** The sandbox's configuration, in which the orders database of `bastion` is `db-prod`'s own. */
export const withBastion = (yaml: string) =>
  `${yaml.replace(
    '    title: Orders database\n',
    `    title: Orders database\n    activity: { source: bastion, match: "activity.resource == 'orders'" }\n`,
  )}${BASTION}`;

export interface Sent {
  readonly status: number;
  readonly body: {
    readonly kept?: number;
    readonly known?: number;
    readonly unattributed?: number;
    readonly rejected?: number;
    readonly errors?: readonly { readonly index: number; readonly id?: string; readonly code: string }[];
    readonly error?: string;
  };
}

export interface SendOptions {
  readonly source?: string;
  readonly secret?: string;
  readonly timestamp?: number;
  /** Sent instead of what was signed. */
  readonly body?: string;
}

export async function send(port: number, items: unknown, options: SendOptions = {}): Promise<Sent> {
  const body = typeof items === 'string' ? items : JSON.stringify({ activities: items });
  const timestamp = String(options.timestamp ?? Math.floor(Date.now() / 1_000));
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/activity`, {
    method: 'POST',
    headers: {
      [HEADERS.source]: options.source ?? 'bastion',
      [HEADERS.timestamp]: timestamp,
      [HEADERS.signature]: signBody(options.secret ?? ACTIVITY_SECRET, timestamp, body),
    },
    body: options.body ?? body,
  });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? (JSON.parse(text) as Sent['body']) : {} };
}
