/** A bastion before the orders database, which tells the bot what people do there. */
import { HEADERS, signBody } from '../activity/signature.ts';
import { SECRETS } from './world.ts';

export interface Deed {
  readonly id: string;
  /** By the bot's clock. */
  readonly at: number;
  readonly account: string;
  readonly action: string;
  readonly kind: string;
  readonly resource: string;
  readonly target?: string;
  readonly amount?: number;
}

/** Throws unless the bot has kept it with a grant. */
export async function tellDeed(port: number, deed: Deed): Promise<void> {
  const body = JSON.stringify({ activities: [deed] });
  const at = String(Math.floor(Date.now() / 1_000));
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/activity`, {
    method: 'POST',
    headers: {
      [HEADERS.source]: 'bastion',
      [HEADERS.timestamp]: at,
      [HEADERS.signature]: signBody(SECRETS.bastion, at, body),
    },
    body,
  });
  const answer = await response.text();
  if (response.status !== 200 || !answer.includes('"kept":1'))
    throw new Error(`what the bastion told was not kept: ${response.status} ${answer}`);
}
