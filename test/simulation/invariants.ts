/**
 * What must hold after every event of any history, as far as rows and the directories' true memberships show.
 *
 * The clock. All instants are on the wall clock, which may be set back. Nothing then ends before its time by that
 * clock, so a grant lives longer, in time that really goes by, by as much as the clock was set back and no more:
 * bounded delay. What is compared here is therefore the wall clock with instants on the wall clock.
 */

import { isDeepStrictEqual } from 'node:util';
import { frozenBy } from '../../src/access/freeze.ts';
import { isLive, keyText } from '../../src/access/ledger.ts';
import { endsAt } from '../../src/access/lifecycle.ts';
import type { AuditEvent } from '../../src/access/model.ts';
import { verifyChain } from '../../src/audit/chain.ts';
import { hash } from '../support/builders.ts';
import { GRANT_TOLD, REQUEST_TOLD, replay, type Told } from './replay.ts';
import { PROVEN, type World } from './world.ts';

export function invariants(world: World): void {
  const { rows, fail } = world;
  const grants = [...rows.grants.values()];
  const open = grants.filter((grant) => grant.state !== 'ended');

  for (const key of world.keys) {
    const text = keyText(key);
    const row = rows.memberships.get(text);
    const held = open.filter((grant) => grant.memberships.some((one) => keyText(one) === text));
    const live = held.some(isLive);
    if (row?.origin === 'ours' && !live && !rows.jobs.has(`op:${text}`))
      fail(`${text} is ours, nobody holds it, and nothing is due`);
    const spell = world.directories.get(key.directory)?.spell(key.groupId, key.userId);
    if (spell?.by !== 'us') continue;
    if (row?.origin !== 'ours') fail(`${text} is in by us, and the ledger says ${row?.origin ?? 'nothing'}`);
    if (held.length === 0) fail(`${text} is in by us, and every grant that held it is ended`);
  }

  for (const grant of open) {
    const job = rows.jobs.get(`end:${grant.id}`);
    if (isLive(grant)) {
      if (job === undefined) fail(`${grant.id} is live without an end timer`);
      else if (job.dueAt > endsAt(grant))
        fail(`${grant.id} ends at ${endsAt(grant)} and its timer rings at ${job.dueAt}`);
    }
    if (grant.startsAt !== undefined && grant.expiresAt !== undefined) {
      if (grant.expiresAt - grant.startsAt > grant.maxMs) fail(`${grant.id} is longer than its policy's maximum`);
      if (grant.expiresAt > grant.hardEndAt) fail(`${grant.id} expires after its hard end`);
    }
    const due = grant.memberships.some((key) => rows.jobs.has(`op:${keyText(key)}`));
    if (grant.state === 'ending' && !due) fail(`${grant.id} is ending and nothing is due`);
    if (grant.state === 'adding' && !due && !rows.jobs.has(`addby:${grant.id}`))
      fail(`${grant.id} is being added and nothing is due`);
  }

  for (const grant of grants) {
    const request = rows.requests.get(grant.requestId);
    if (request === undefined) continue;
    const given = rows.approvals.filter(
      (one) => one.requestId === request.id && one.answer === 'approved' && one.digest === request.digest,
    );
    const people = new Set(given.map((one) => one.approver.replace(/#.*$/, '')));
    if (people.size < request.approvalsNeeded)
      fail(`${request.id} was granted by ${people.size} of ${request.approvalsNeeded}`);
  }
  const spent = new Set<string>();
  for (const { requestId, approver, answer, digest, proof } of rows.approvals) {
    const request = rows.requests.get(requestId);
    if (answer !== 'approved' || request?.digest !== digest || !request.policyHash.endsWith(PROVEN)) continue;
    const given = rows.proofs.get(proof ?? '');
    if (given?.state !== 'used' || given.person !== approver || given.digest !== digest || spent.has(given.id))
      fail(`${approver} approved ${requestId} without a proof of their own`);
    spent.add(given?.id ?? '');
  }
  for (const request of rows.requests.values())
    if (request.state === 'pending' && !rows.jobs.has(`lapse:${request.id}`)) fail(`${request.id} never lapses`);
  for (const [key, times] of rows.acted) if (times > 1) fail(`${key} acted ${times} times`);
  for (const fault of rows.faults) fail(fault);
}

/** What takes a query: now and then, and at the end. */
export async function deepInvariants(world: World): Promise<void> {
  const { rows, fail } = world;
  const links = await rows.store.chain(0, 100_000);
  const broken = verifyChain(links, hash);
  if (broken !== undefined) fail(`the audit chain is broken at ${broken}`);
  for (const wrong of await rows.differences()) fail(wrong);
  const events = links.map(({ canonical }) => JSON.parse(canonical) as AuditEvent);
  for (const wrong of untold(rows, replay(events))) fail(wrong);
}

/** Where the trail, told forward, comes to other rows than are held. */
function untold(rows: World['rows'], told: Told): readonly string[] {
  const wrong: string[] = [];
  const same = (what: string, held: object, said: object | undefined, names?: readonly string[]) => {
    if (said === undefined) wrong.push(`${what} is in the rows, and the trail does not tell of it`);
    for (const name of names ?? Object.keys(said ?? {})) {
      const [mine, value] = [held, said ?? {}].map((one) => (one as Readonly<Record<string, unknown>>)[name]);
      if (!isDeepStrictEqual(mine, value))
        wrong.push(`${what}.${name} is ${JSON.stringify(mine)}, and the trail tells ${JSON.stringify(value)}`);
    }
  };
  for (const [id, row] of rows.requests) same(id, row, told.requests.get(id), REQUEST_TOLD);
  for (const [id, row] of rows.grants)
    same(id, { ...row, memberships: row.memberships.map(keyText) }, told.grants.get(id), GRANT_TOLD);
  for (const [id, { origin }] of rows.memberships) same(id, { origin }, { origin: told.origins.get(id) ?? 'none' });
  for (const [id, { liftedAt }] of rows.freezes)
    same(id, { holds: liftedAt === undefined }, { holds: told.freezes.get(id) ?? false });
  return wrong;
}

/** Faults have stopped, and a running grant holds what it says it holds. */
export function honoured(world: World): void {
  closed(world);
  revoked(world);
  const { rows, clock, fail } = world;
  for (const grant of rows.grants.values()) {
    if (grant.state === 'adding') fail(`${grant.id} is still being added`);
    if (grant.state === 'ending') fail(`${grant.id} is still ending`);
    if (isLive(grant) && clock.now() > endsAt(grant) + 60_000) fail(`${grant.id} lives on after its end`);
    if (grant.state !== 'active') continue;
    for (const key of grant.memberships) {
      const text = keyText(key);
      const row = rows.memberships.get(text);
      // One whose addition was never accepted was given up when its time to be added was over.
      if (row?.origin !== 'ours' || row.addOutcome !== 'accepted' || rows.jobs.has(`op:${text}`)) continue;
      const fake = world.directories.get(key.directory);
      if (fake?.spell(key.groupId, key.userId) !== undefined) continue;
      if (fake?.lastChange(key.groupId, key.userId)?.by === 'us') fail(`${grant.id} is active and ${text} is not in`);
    }
  }
}

/** Faults have stopped, so the timer of each freeze has rung. */
export function closed(world: World): void {
  const live = [...world.rows.freezes.values()].filter(({ liftedAt }) => liftedAt === undefined);
  for (const request of world.rows.requests.values()) {
    const by = frozenBy({ version: 0, live }, { person: request.requester, resource: request.resource });
    if (request.state === 'pending' && by !== undefined) world.fail(`${request.id} waits although ${by.id} is frozen`);
  }
}

/** Faults have stopped: what was confirmed is over, and its scope is open again. */
export function revoked(world: World): void {
  const { rows, fail } = world;
  for (const { id, state, grants } of rows.revocations.values()) {
    if (state === 'running') fail(`revocation ${id} is never over`);
    if (state === 'previewed') continue;
    for (const grant of grants)
      if (rows.grants.get(grant)?.state !== 'ended') fail(`${grant} outlives revocation ${id}`);
    const sweep = rows.freezes.get(`revocation:${id}`);
    if (sweep !== undefined && sweep.liftedAt === undefined) fail(`revocation ${id} keeps its scope closed`);
  }
}

/** Faults have stopped, every grant's time is over, and nothing is left to do. */
export function quiet(world: World): void {
  const { rows, fail } = world;
  for (const grant of rows.grants.values()) {
    if (grant.state !== 'ended') fail(`${grant.id} is ${grant.state} for ever`);
    else if (world.ledgerOf.events.get(`grant.ended ${grant.id}`) !== 1) fail(`${grant.id} has no end in the trail`);
  }
  for (const request of rows.requests.values())
    if (request.state === 'pending') fail(`${request.id} is pending for ever`);
  for (const [id, { job }] of rows.jobs)
    if (job.kind !== 'notification' || world.temper.chat) fail(`${id} is never done`);
  for (const [key, { answered }] of rows.deliveries) if (!answered) fail(`${key} is never answered`);
  for (const key of world.keys) {
    const text = keyText(key);
    if (rows.memberships.get(text)?.origin === 'ours') fail(`${text} is ours for ever`);
    if (world.directories.get(key.directory)?.spell(key.groupId, key.userId)?.by === 'us')
      fail(`${text} is in for ever`);
  }
}
