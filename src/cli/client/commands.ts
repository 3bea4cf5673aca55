/** The commands of chat, sent to a Hallpass elsewhere. Each answers with a sentence or a table, or with JSON. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AccessRequest, Grant, Outcome, RequestPage, Waited } from '../../api/schemas.ts';
import { EXIT, type Out } from '../out.ts';
import { type Client, ClientError } from './http.ts';
import { plain, requestLines, sayError, sayOutcome, table, timeOf } from './show.ts';

export interface Wish {
  readonly resource: string;
  readonly role?: string;
  /** As it was typed; the other side reads it. */
  readonly duration?: string;
  readonly reason: string;
}

/** How long one question for what came of it may hang. */
const HANG_S = 50;
const PAGES_MAX = 20;

export function wishBody({ resource, role, duration, reason }: Wish): object {
  return {
    resource,
    ...(role === undefined ? {} : { role }),
    ...(duration === undefined ? {} : { duration }),
    reason,
  };
}

/** How often it is looked whether somebody has proved who they are, and for how long. */
const PROOF_LOOK_MS = 3_000;
const PROOF_MS = 600_000;

/** Where the policy wants to know who asks, the request is made by the click behind the link that is told. */
export async function ask(
  client: Client,
  wish: Wish,
  tell: (line: string) => void,
  signal?: AbortSignal,
): Promise<Pick<Outcome, 'request' | 'asked'>> {
  try {
    return await client.post<Outcome>('/requests', { body: wishBody(wish) });
  } catch (error) {
    if (!(error instanceof ClientError) || error.problem?.code !== 'proof_needed' || error.problem.link === undefined)
      throw error;
    const mine = async () => (await client.get<RequestPage>('/requests?which=mine')).items;
    const before = new Set((await mine()).map(({ id }) => id));
    tell(`${plain(error.problem.title)} Open ${error.problem.link}`);
    for (const until = performance.now() + PROOF_MS; performance.now() < until; ) {
      await sleep(PROOF_LOOK_MS, undefined, signal === undefined ? {} : { signal });
      const request = (await mine()).find(
        (one) => !before.has(one.id) && one.resource === wish.resource && (wish.role ?? one.role) === one.role,
      );
      if (request !== undefined) return { request };
    }
    throw error;
  }
}

export async function requestCommand(
  io: Out,
  client: Client,
  wish: Wish,
  waitMs: number | undefined,
  tell: (line: string) => void,
): Promise<number> {
  return await said(io, async () => {
    if (waitMs === undefined) return sayOutcome(io, await client.post<Outcome>('/requests', { body: wishBody(wish) }));
    const made = await ask(client, wish, tell);
    for (const line of madeLines(made)) tell(line);
    const waited = await waitFor(client, made.request.id, 'active', waitMs);
    const { request, reached } = waited;
    io.say({ ok: reached, reached, request }, [
      `${request.id}: ${plain(request.headline)}`,
      ...(waited.final ? [] : ['It still waits; hallpass status says more.']),
    ]);
    return reached ? EXIT.done : EXIT.failed;
  });
}

export function madeLines({ request, asked = [] }: Pick<Outcome, 'request' | 'asked'>): readonly string[] {
  return [
    `${request.id} asks for ${request.entitlement}. ${plain(request.headline)}`,
    ...(asked.length === 0 ? [] : [`Asked: ${asked.map(plain).join(', ')}.`]),
  ];
}

/** Until it is there, or will not be, or the time is over. */
export async function waitFor(
  client: Client,
  id: string,
  until: 'decided' | 'active' | 'ended',
  waitMs: number,
  signal?: AbortSignal,
): Promise<Waited> {
  const over = performance.now() + waitMs;
  for (;;) {
    const left = Math.ceil((over - performance.now()) / 1_000);
    const timeout = Math.max(1, Math.min(HANG_S, left));
    const waited = await client.get<Waited>(`/requests/${id}/wait?until=${until}&timeout=${timeout}`, {
      withinMs: (timeout + 15) * 1_000,
      ...(signal === undefined ? {} : { signal }),
    });
    if (waited.final || performance.now() >= over) return waited;
  }
}

/** What approves carries what was shown, so it is fetched and shown first; `sure` is asked before it is sent. */
export async function approveCommand(
  io: Out,
  client: Client,
  id: string,
  duration: string | undefined,
  sure: (lines: readonly string[]) => Promise<boolean>,
): Promise<number> {
  return await said(io, async () => {
    const request = await client.get<AccessRequest>(`/requests/${id}`);
    if (request.card === undefined) {
      const why = 'You cannot answer this one, or there is nothing to answer any more.';
      io.say({ ok: false, error: why, code: 'not_an_approver', request }, [...requestLines(request), why]);
      return EXIT.failed;
    }
    if (!(await sure([...requestLines(request), `For ${request.durationSeconds / 60} minutes.`]))) {
      io.say({ ok: false, error: 'not confirmed', request }, 'Nothing was done.');
      return EXIT.failed;
    }
    const body = { card: request.card, ...(duration === undefined ? {} : { duration }) };
    return sayOutcome(io, await client.post<Outcome>(`/requests/${request.id}/approve`, { body }));
  });
}

export type Simple = 'deny' | 'cancel' | 'extend' | 'return' | 'revoke' | 'adopt';

const OF_GRANTS: ReadonlySet<Simple> = new Set(['extend', 'return', 'revoke', 'adopt']);

export async function simpleCommand(io: Out, client: Client, what: Simple, id: string, body?: object): Promise<number> {
  return await said(io, async () => {
    const path = `/${OF_GRANTS.has(what) ? 'grants' : 'requests'}/${id}/${what}`;
    return sayOutcome(io, await client.post<Outcome>(path, body === undefined ? {} : { body }));
  });
}

export async function statusCommand(io: Out, client: Client, id: string | undefined): Promise<number> {
  if (id === undefined) return await listCommand(io, client, 'mine');
  return await said(io, async () => {
    const request = await client.get<AccessRequest>(`/requests/${id}`);
    io.say({ ok: true, request }, requestLines(request));
    return EXIT.done;
  });
}

export async function listCommand(io: Out, client: Client, which: 'mine' | 'pending' | 'active'): Promise<number> {
  return await said(io, async () => {
    const { items, next } = await client.get<RequestPage>(`/requests?which=${which}`);
    const now = Date.now();
    io.say(
      { ok: true, items, more: next !== undefined },
      items.length === 0
        ? NONE[which]
        : [
            ...table(
              ['ID', 'WHO', 'WHAT', 'STATE', 'UNTIL', 'WHY'],
              items.map((one) => [
                one.grant?.id ?? one.id,
                one.requester.name,
                one.entitlement,
                one.grant?.state ?? one.state,
                timeOf(one.grant?.expiresAt ?? one.lapsesAt, now),
                one.reason,
              ]),
            ),
            ...(next === undefined ? [] : ['There are more; --json with the API has all of them.']),
          ],
    );
    return EXIT.done;
  });
}

const NONE = {
  mine: 'You have asked for nothing.',
  pending: 'Nothing waits for an answer.',
  active: 'Nobody holds access that you may see.',
} as const;

/** Who holds it, as far as you may see. */
export async function whoCommand(io: Out, client: Client, what: string): Promise<number> {
  return await said(io, async () => {
    const held: Grant[] = [];
    let more: string | undefined;
    for (let page = 0; page === 0 || (more !== undefined && page < PAGES_MAX); page++) {
      const query: string = more === undefined ? '' : `?cursor=${encodeURIComponent(more)}`;
      const got = await client.get<{ items: Grant[]; next?: string }>(`/grants${query}`);
      held.push(...got.items.filter(({ entitlement }) => isOf(entitlement, what)));
      more = got.next;
    }
    const now = Date.now();
    io.say(
      { ok: true, items: held, more: more !== undefined },
      held.length === 0
        ? `Nobody holds ${what} that you may see.`
        : table(
            ['ID', 'WHO', 'WHAT', 'STATE', 'UNTIL'],
            held.map((grant) => [
              grant.id,
              grant.holder.name,
              grant.entitlement,
              grant.state,
              timeOf(grant.expiresAt ?? grant.hardEndAt, now),
            ]),
          ),
    );
    return EXIT.done;
  });
}

/** `db-prod` also stands for its roles and its parts. */
function isOf(entitlement: string, what: string): boolean {
  return entitlement === what || entitlement.startsWith(`${what}:`) || entitlement.startsWith(`${what}/`);
}

async function said(io: Out, act: () => Promise<number>): Promise<number> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof ClientError) return sayError(io, error);
    throw error;
  }
}
