/**
 * A local Teams: Microsoft's own Playground, run headless as a child process, with the sandbox's people in it. It speaks
 * the connector's protocol, so that the bot is the same as against Teams; it signs nothing, so the bot verifies nothing,
 * and both are on this machine alone.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { stringify } from 'yaml';

/** A GUID of the sandbox's own; none of them is real. */
const guid = (last: number) => `5a5a5a5a-0000-4000-8000-${String(last).padStart(12, '0')}`;

export const TENANT = guid(1);
export const TEAMS_APPROVALS = '19:access-approvals@thread.tacv2';
const BOT = { id: '28:hallpass-sandbox', name: 'Hallpass' };
const PERSONAL = 'a:hallpass-sandbox';

/** Somebody as Teams knows them: `29:…` towards the bot, an object id everywhere. */
export interface TeamsIdentity {
  readonly name: string;
  readonly email: string;
}

export interface TeamsMessage {
  readonly conversation: string;
  readonly id: string;
  /** Of a message in a channel, its thread. */
  readonly thread: string;
  /** What the bot sent: the card, as JSON text, and every text in it. */
  readonly card: string;
  readonly text: string;
}

export interface Playground {
  readonly url: string;
  /** Everything that can be seen by the person whose Playground it is: their own chat and the channel, as it is now. */
  messages(): readonly TeamsMessage[];
  waitFor(
    found: (messages: readonly TeamsMessage[]) => TeamsMessage | undefined,
    timeoutMs: number,
    what: string,
  ): Promise<TeamsMessage>;
  /** The person whose Playground it is adds the app for themselves. */
  install(): Promise<void>;
  /** They type in their own chat, or mention the bot in the channel. */
  type(text: string): Promise<void>;
  mention(text: string): Promise<void>;
  /** Anybody presses a button of a message; returns what Teams would show them, and them alone. */
  press(who: string, message: TeamsMessage, data: object): Promise<{ readonly card: string; readonly text: string }>;
  close(): Promise<void>;
}

export interface PlaygroundOptions {
  /** A folder of its own, which somebody else removes. */
  readonly folder: string;
  readonly botUrl: string;
  /** By short name; the first is the one whose Playground it is. Six of them: it takes no more and no fewer. */
  readonly people: Readonly<Record<string, TeamsIdentity>>;
  readonly port?: number;
}

const START_WITHIN_MS = 30_000;
const CALL_WITHIN_MS = 20_000;

export async function startPlayground({ folder, botUrl, people, port = 0 }: PlaygroundOptions): Promise<Playground> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, '.m365agentsplayground.yml'), configurationOf(people));
  const child = spawn(process.execPath, argumentsFor(botUrl, port), {
    cwd: folder,
    // Its whole environment: neither a browser nor anything that is set around the sandbox.
    env: { PATH: process.execPath, HOME: folder, TEAMSAPPTESTER_BROWSER: 'none' },
    // The channel tells it when the sandbox is gone, however that ended.
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
  });
  const listening = await portOf(child);
  const url = `http://127.0.0.1:${listening}`;
  const seen = new Map<string, TeamsMessage>();
  let waiting: (() => void)[] = [];
  const stream = new WebSocket(`ws://127.0.0.1:${listening}/_ws_conversation/v1/conversations/stream`);
  stream.addEventListener('message', ({ data }) => {
    const message = messageIn(String(data));
    if (message !== undefined) seen.set(message.id, message);
    for (const wake of waiting.splice(0)) wake();
  });
  await once(stream, 'open');
  const first = Object.keys(people)[0] ?? '';

  async function call(path: string, body: object): Promise<unknown> {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(CALL_WITHIN_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the Playground says ${response.status}: ${text.slice(0, 300)}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  const say = (conversation: string, text: string, more: object) =>
    call(`/_conversation/v1/conversations/${conversation}/messages`, {
      from: { id: userId(first) },
      text,
      textFormat: 'plain',
      ...more,
    });

  return {
    url,
    messages: () => [...seen.values()],
    async waitFor(found, timeoutMs, what) {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const message = found([...seen.values()]);
        if (message !== undefined) return message;
        const left = deadline - performance.now();
        if (left <= 0) throw new Error(`${what} did not come in time in Teams`);
        await new Promise<void>((resolve) => {
          const alarm = setTimeout(resolve, left);
          waiting.push(() => {
            clearTimeout(alarm);
            resolve();
          });
        });
      }
    },
    async install() {
      await call(`/_debug/conversation/${PERSONAL}/installation`, {});
    },
    async type(text) {
      await say(PERSONAL, text, {});
    },
    async mention(text) {
      const mention = `<at>${BOT.name}</at>`;
      await say(TEAMS_APPROVALS, `${mention} ${text}`, { mentions: [{ mentioned: { id: BOT.id }, text: mention }] });
    },
    async press(who, message, data) {
      const answer = await call('/_conversation/v1/invoke', {
        name: 'adaptiveCard/action',
        from: { id: userId(who) },
        conversation: { id: message.thread },
        replyToId: message.id,
        value: { action: { type: 'Action.Execute', verb: 'hallpass', data }, trigger: 'manual' },
      });
      const card = (answer as { value?: unknown } | undefined)?.value;
      return { card: JSON.stringify(card), text: textsIn(card).join('') };
    },
    async close() {
      waiting = [];
      stream.close();
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** What one of them is called towards the bot. */
function userId(who: string): string {
  return `29:${who}`;
}

/** The data of the first button of this kind in a card. */
export function buttonIn(
  card: string,
  kind: string,
): { readonly hallpass: Readonly<Record<string, string>> } | undefined {
  let found: { hallpass: Record<string, string> } | undefined;
  JSON.parse(card, (_key, value: unknown) => {
    if (typeof value === 'object' && value !== null && 'hallpass' in value) {
      const data = value as { hallpass: Record<string, string> };
      if (data.hallpass.do === kind) found ??= data;
    }
    return value;
  });
  return found;
}

function argumentsFor(botUrl: string, port: number): readonly string[] {
  const preload = new URL(`./loopback${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href;
  return [
    '--import',
    preload,
    installed(),
    'start',
    '-e',
    `${botUrl}/api/messages`,
    '-c',
    'msteams',
    '-p',
    String(port),
    '--disable-telemetry',
  ];
}

/** A development dependency: it is here in a clone of the repository, and nowhere else. */
function installed(): string {
  try {
    return createRequire(import.meta.url).resolve('@microsoft/m365agentsplayground/cli.js');
  } catch {
    throw new Error('the Microsoft 365 Agents Playground is not installed; run npm ci in a clone of the repository');
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  let said = '';
  return new Promise((resolve, reject) => {
    const alarm = setTimeout(
      () => reject(new Error(`the Playground did not start: ${said.slice(-300)}`)),
      START_WITHIN_MS,
    );
    child.stdout?.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-2_000);
      const port = /Listening on (\d+)/.exec(said)?.[1];
      if (port === undefined) return;
      clearTimeout(alarm);
      resolve(Number(port));
    });
    child.once('exit', (code) => {
      clearTimeout(alarm);
      reject(new Error(`the Playground ended with code ${code}: ${said.slice(-300)}`));
    });
  });
}

function configurationOf(people: PlaygroundOptions['people']): string {
  const [current, ...users] = Object.entries(people).map(([name, { name: full, email }], index) => ({
    id: userId(name),
    name: full,
    userPrincipleName: email,
    aadObjectId: guid(100 + index),
    givenName: full.split(' ')[0] ?? full,
    surname: full.split(' ')[1] ?? full,
    email,
  }));
  return stringify({
    version: '0.1.1',
    tenantId: TENANT,
    bot: BOT,
    currentUser: current,
    users,
    personalChat: { id: PERSONAL },
    groupChat: { id: '19:hallpass-sandbox@thread.v2', name: 'Group chat' },
    team: {
      id: '19:hallpass-sandbox@thread.tacv2',
      name: 'Platform',
      aadGroupId: guid(31),
      channels: [{ id: TEAMS_APPROVALS, name: 'access-approvals' }],
    },
  });
}

function messageIn(data: string): TeamsMessage | undefined {
  const { action, actionConversationId, message } = JSON.parse(data) as {
    action?: string;
    actionConversationId?: string;
    message?: { messageId: string; text?: string; postConversationId?: string; attachments?: { content?: unknown }[] };
  };
  if (message === undefined || actionConversationId === undefined) return undefined;
  if (action !== 'createMessage' && action !== 'updateMessage') return undefined;
  const card = message.attachments?.[0]?.content;
  return {
    conversation: actionConversationId,
    id: message.messageId,
    // An update does not say it again: it is the channel's id with the message's own.
    thread:
      message.postConversationId ??
      (actionConversationId === TEAMS_APPROVALS
        ? `${TEAMS_APPROVALS};messageid=${message.messageId}`
        : actionConversationId),
    card: JSON.stringify(card ?? null),
    text: card === undefined ? (message.text ?? '') : textsIn(card).join(' '),
  };
}

/** Every text of a card, in order. */
function textsIn(node: unknown): readonly string[] {
  if (Array.isArray(node)) return node.flatMap(textsIn);
  if (typeof node !== 'object' || node === null) return [];
  const { type, text } = node as { type?: unknown; text?: unknown };
  if ((type === 'TextRun' || type === 'TextBlock') && typeof text === 'string') return [text];
  return Object.values(node).flatMap(textsIn);
}
