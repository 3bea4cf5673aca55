/** Who may talk to the page: a browser on this machine that opened it by its own address, and nobody else. */
import type { IncomingMessage } from 'node:http';

/**
 * Why a request is refused; undefined when it may pass. Loopback is open to every page in the person's browser: a name
 * that points here must not be enough (DNS rebinding), and another page must not be able to act. The bot's own paths
 * are guarded by Slack's signature instead of an origin.
 */
export function refusedBecause(request: IncomingMessage, port: number, isBotPath: boolean): string | undefined {
  const { host, origin } = request.headers;
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (host === undefined || !hosts.includes(host)) return `open this as http://127.0.0.1:${port}`;
  if (isBotPath || request.method === 'GET' || request.method === 'HEAD') return undefined;
  if (origin !== `http://${host}`) return 'only the page itself may do this';
  if (request.headers['content-type'] !== 'application/json') return 'only the page itself may do this, as JSON';
  const site = request.headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin' ? undefined : 'only the page itself may do this';
}
