/** An address outside Hallpass that it calls: the alert webhook, the heartbeat. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Heard {
  readonly method: string;
  /** Parsed when it is JSON, else its text. */
  readonly body: unknown;
}

export interface Listener {
  readonly url: string;
  readonly heard: readonly Heard[];
  /** The status of every answer from now on; 204 at first. */
  answer(status: number): void;
  close(): Promise<void>;
}

export async function startListener(): Promise<Listener> {
  const heard: Heard[] = [];
  let status = 204;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const json = request.headers['content-type']?.startsWith('application/json') === true;
      heard.push({ method: request.method ?? '', body: json ? (JSON.parse(text) as unknown) : text });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    heard,
    answer: (next) => {
      status = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
