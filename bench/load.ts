/**
 * A client that costs little: plain sockets kept alive, one request under way on each. `fetch` would take a whole core
 * before the server does.
 */
import { createHmac } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { SECRETS } from '../src/sandbox/world.ts';

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface Line {
  readonly busy: boolean;
  send(body: string): Promise<Answer>;
  close(): void;
}

/** A signed delivery to `/slack/events`; the signature is made when it is sent, as Slack does. */
export async function openLine(port: number): Promise<Line> {
  const socket = await new Promise<Socket>((resolve, reject) => {
    const made = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(made));
    made.once('error', reject);
  });
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;
  let received = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    received += chunk;
    const head = received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, head + 2))?.[1];
    const chunked = /\r\ntransfer-encoding: chunked/i.test(received.slice(0, head + 2));
    const done = chunked ? received.endsWith('0\r\n\r\n') : received.length >= head + 4 + Number(length ?? 0);
    if (!done) return;
    const answer = { status: Number(received.slice(9, 12)), body: received.slice(head + 4) };
    received = '';
    const waiter = waiting;
    waiting = undefined;
    waiter?.resolve(answer);
  });
  const lost = () => waiting?.reject(new Error('the connection was closed before its answer came'));
  socket.on('error', lost);
  socket.on('close', lost);
  return {
    get busy() {
      return waiting !== undefined;
    },
    send(body) {
      const at = Math.floor(Date.now() / 1000);
      const mac = createHmac('sha256', SECRETS.signingSecret).update(`v0:${at}:${body}`).digest('hex');
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(
          `POST /slack/events HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\ncontent-type: application/x-www-form-urlencoded\r\n` +
            `x-slack-request-timestamp: ${at}\r\nx-slack-signature: v0=${mac}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
        );
      });
    },
    close: () => socket.destroy(),
  };
}

export interface Load {
  /** Answers that came while it was measured. */
  readonly answers: readonly Answer[];
  readonly elapsedMs: number;
  /** Of each, in milliseconds. */
  readonly latencies: readonly number[];
}

/** As many as go through: each line sends its next as soon as it has its answer. Stops early when bodies run out. */
export async function closedLoop(lines: readonly Line[], next: () => string | undefined, ms: number): Promise<Load> {
  const answers: Answer[] = [];
  const latencies: number[] = [];
  const startedAt = performance.now();
  await Promise.all(
    lines.map(async (line) => {
      while (performance.now() - startedAt < ms) {
        const body = next();
        if (body === undefined) return;
        const sentAt = performance.now();
        answers.push(await line.send(body));
        latencies.push(performance.now() - sentAt);
      }
    }),
  );
  return { answers, latencies, elapsedMs: performance.now() - startedAt };
}

/**
 * `perSecond` requests at even times, whatever the server does; latency counts from when a request was meant to be
 * sent. Paced at a millisecond: a client that spins starves the disk's completions on two cores.
 */
export async function openLoop(
  lines: readonly Line[],
  next: () => string | undefined,
  perSecond: number,
  ms: number,
): Promise<Load> {
  const answers: Answer[] = [];
  const latencies: number[] = [];
  const gap = 1000 / perSecond;
  const total = Math.floor(ms / gap);
  const startedAt = performance.now();
  const under: Promise<void>[] = [];
  const queue: { body: string; meantAt: number }[] = [];
  let sent = 0;

  const dispatch = () => {
    for (const line of lines) {
      if (line.busy) continue;
      const one = queue.shift();
      if (one === undefined) return;
      under.push(
        line.send(one.body).then((answer) => {
          answers.push(answer);
          latencies.push(performance.now() - one.meantAt);
          dispatch();
        }),
      );
    }
  };
  while (sent < total) {
    while (sent < total && startedAt + sent * gap <= performance.now()) {
      const body = next();
      if (body === undefined) throw new Error('there are too few different requests');
      queue.push({ body, meantAt: startedAt + sent * gap });
      sent += 1;
    }
    dispatch();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  while (answers.length < total) {
    await Promise.all(under);
    dispatch();
  }
  return { answers, latencies, elapsedMs: performance.now() - startedAt };
}
