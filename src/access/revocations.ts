/** The facts behind a revocation of many grants: what is in its scope, how far it is, and what its timer does next. */
import { createAims, filterOf, mayIn, OPEN_MAX } from './aims.ts';
import type { By, Command, Refusal } from './command.ts';
import {
  decideConfirm,
  decidePreview,
  ENDED_AT_ONCE,
  isMeant,
  type RevokeBy,
  ringRevocation,
  sweepId,
} from './decide-revocation.ts';
import { type Carried, CLOSED_AT_ONCE, type EmergencyParts } from './emergency.ts';
import { covers, scopeId } from './freeze.ts';
import { askSubjects } from './gather.ts';
import { isLive } from './ledger.ts';
import type { AccessRequest, Change, Grant, Instant, PersonId, RequestId, Revocation, Scope } from './model.ts';
import type { GrantRecord, Ids, RequestRecord, Store } from './ports.ts';
import type { ReportView } from './report.ts';
import { type Load, PROGRESS_SHOWN, previewReport, progressReport } from './revocation-view.ts';
import type { RequestView } from './view.ts';
import { requestersOf } from './workload.ts';

/** More than this is revoked in turns: each preview is to be read by somebody. */
const GRANTS_MOST = 2_000;

export interface RevocationParts extends EmergencyParts {
  readonly ids: Ids;
  readonly view: (id: RequestId, zone?: string) => Promise<RequestView | undefined>;
}

export interface Revocations {
  preview(command: Command & { do: 'revoke-all' }, correlation: Correlation): Promise<Carried>;
  confirm(command: Command & { do: 'confirm-revocation' }, correlation: Correlation): Promise<Carried>;
  /** How far it is; absent when there is none of that id. */
  report(id: string, zone?: string): Promise<ReportView | undefined>;
}

interface Correlation {
  readonly correlation?: string;
}

export function createRevocations(parts: RevocationParts): Revocations {
  const { store, people, clock, catalog, ids, directories } = parts;
  const { identified, aimedAt } = createAims(parts);

  async function preview(command: Command & { do: 'revoke-all' }, correlation: Correlation): Promise<Carried> {
    const who = await identified(command.by);
    const aimed = await aimedAt(command.aim);
    if ('code' in aimed) return { refusal: aimed };
    const except = await excepted(command);
    if ('code' in except) return { refusal: except };
    const now = clock.now();
    const since = command.grantedWithinMs === undefined ? undefined : now - command.grantedWithinMs;
    const may = mayIn(catalog(), catalog().responders, aimed.scope);
    const by: RevokeBy =
      'operator' in who ? who : { person: who.person, subjects: await askSubjects(people, may, who.person) };
    const limited = { except, ...(since === undefined ? {} : { since }) };
    const [records, pending] = await Promise.all([
      liveIn(store, aimed.scope, limited),
      pendingIn(
        store,
        aimed.scope,
        except.map(({ person }) => person),
      ),
    ]);
    const taken = records.slice(0, GRANTS_MOST);
    const decided = decidePreview(
      command,
      {
        by,
        may,
        id: ids.opaque(),
        ...aimed,
        ...limited,
        grants: taken.flatMap(({ grant }) => grant ?? []),
        pending,
        more: records.length > taken.length,
        ...correlation,
      },
      now,
    );
    if ('refusal' in decided) return decided;
    const { revocation, changes } = decided;
    const keys = new Map(
      taken
        .flatMap(({ grant }) => grant?.memberships ?? [])
        .map((key) => [`${key.directory} ${key.groupId} ${key.userId}`, key]),
    );
    const report = previewReport(
      {
        revocation,
        records: taken,
        pending: pending.length,
        groups: new Set([...keys.values()].map((key) => `${key.directory} ${key.groupId}`)).size,
        loads: loadsOf([...keys.values()].map(({ directory }) => directory)),
        zone: revocation.byZone ?? catalog().timezone,
      },
      now,
    );
    const { id, state } = revocation;
    return { changes, answer: { say: 'revocation', id, state, report, confirm: id } };
  }

  function loadsOf(named: readonly string[]): readonly Load[] {
    return [...new Set(named)].map((directory) => {
      const perMinute = directories.get(directory)?.removalsPerMinute?.();
      const removals = named.filter((name) => name === directory).length;
      return { directory, removals, ...(perMinute === undefined ? {} : { perMinute }) };
    });
  }

  async function excepted(command: Command & { do: 'revoke-all' }): Promise<Revocation['except'] | Refusal> {
    const found: { person: PersonId; name: string }[] = [];
    for (const aim of command.except) {
      const aimed = await aimedAt(aim);
      if ('code' in aimed) return aimed;
      if (aimed.scope.kind !== 'person') return { code: 'unknown_person', asked: aimed.name };
      found.push({ person: aimed.scope.person, name: aimed.name });
    }
    return found;
  }

  async function confirm(command: Command & { do: 'confirm-revocation' }, correlation: Correlation): Promise<Carried> {
    const who = await identified(command.by);
    const revocation = await store.revocation(command.id);
    if (revocation === undefined) return { refusal: { code: 'expired_button' } };
    const may = mayIn(catalog(), catalog().responders, revocation.scope);
    const by: RevokeBy =
      'operator' in who ? who : { person: who.person, subjects: await askSubjects(people, may, who.person) };
    const [freezes, grants, pending] = await Promise.all([
      store.freezes(),
      store.grants(revocation.grants),
      pendingIn(
        store,
        revocation.scope,
        revocation.except.map(({ person }) => person),
      ),
    ]);
    const known = await store.freeze(closingId(revocation));
    const decided = decideConfirm(
      {
        by,
        may,
        revocation,
        freezes,
        ...(known === undefined ? {} : { known }),
        first: await recordsOf(store, grants),
        pending: pending.slice(0, CLOSED_AT_ONCE),
        ...correlation,
      },
      clock.now(),
    );
    if ('refusal' in decided) return decided;
    const { id, state } = decided.revocation;
    const report = await progress(decided.revocation, zoneOf(command.by, revocation));
    return { changes: decided.changes, answer: { say: 'revocation', id, state, report } };
  }

  function zoneOf(by: By, { byZone }: Revocation): string {
    return ('operator' in by ? undefined : byZone) ?? catalog().timezone;
  }

  async function progress(revocation: Revocation, zone: string): Promise<ReportView> {
    const grants = await store.grants(revocation.grants);
    const [open, over] = [
      grants.filter(({ state }) => state !== 'ended'),
      grants.filter(({ state }) => state === 'ended'),
    ];
    const viewed = async (some: readonly Grant[]) =>
      (await Promise.all(some.map(({ requestId }) => parts.view(requestId, zone)))).filter(
        (view) => view !== undefined,
      );
    const remaining = await viewed(open.slice(0, PROGRESS_SHOWN.remaining));
    const proven = await viewed(over.slice(0, PROGRESS_SHOWN.proven));
    return progressReport(
      { revocation, grants, remaining, proven, later: await begunLater(revocation), zone },
      clock.now(),
    );
  }

  /** Those that it does not end, since nobody was shown them. */
  async function begunLater(revocation: Revocation): Promise<number> {
    const live = await liveIn(store, revocation.scope, revocation);
    const shown = new Set(revocation.grants);
    return live.filter(({ grant }) => {
      const before = grant !== undefined && grant.approvedAt <= (revocation.confirmedAt ?? clock.now());
      return before && !shown.has(grant.id) && !revocation.more;
    }).length;
  }

  return {
    preview,
    confirm,
    async report(id, zone) {
      const revocation = await store.revocation(id);
      return revocation && (await progress(revocation, zone ?? revocation.byZone ?? catalog().timezone));
    },
  };
}

/** The freeze that closes the scope of a revocation, for good or until it has been looked through. */
function closingId({ id, scope }: Revocation): string {
  return scope.kind === 'person' ? scopeId(scope) : sweepId(id);
}

async function liveIn(
  store: Store,
  scope: Scope,
  limited: Pick<Revocation, 'except' | 'since'>,
): Promise<readonly RequestRecord[]> {
  const found = await store.list({
    ...filterOf(scope),
    states: ['approved'],
    grantStates: ['adding', 'active'],
    limit: OPEN_MAX,
  });
  return found.filter(({ grant }) => grant !== undefined && isMeant(limited, grant));
}

async function pendingIn(store: Store, scope: Scope, except: readonly PersonId[]): Promise<readonly AccessRequest[]> {
  const found = await store.list({ ...filterOf(scope), states: ['pending'], limit: OPEN_MAX });
  return found
    .map(({ request }) => request)
    .filter((request) => {
      const { requester, resource } = request;
      return requestersOf(request).some((person) => covers(scope, { person, resource })) && !except.includes(requester);
    });
}

async function recordsOf(store: Store, grants: readonly Grant[]): Promise<readonly GrantRecord[]> {
  const next = grants.filter(isLive).slice(0, ENDED_AT_ONCE);
  const records = await Promise.all(next.map(({ id }) => store.grant(id)));
  return records.filter((record) => record !== undefined);
}

/** What the timer of a revocation finds to do. */
export async function lookAtRevocation(store: Store, id: string, now: Instant): Promise<readonly Change[]> {
  const revocation = await store.revocation(id);
  if (revocation === undefined || revocation.state !== 'running') return [];
  const [freezes, grants] = await Promise.all([store.freezes(), store.grants(revocation.grants)]);
  const sweep = freezes.live.find(({ sweeping }) => sweeping === id);
  const except = revocation.except.map(({ person }) => person);
  const pending = sweep === undefined ? [] : await pendingIn(store, revocation.scope, except);
  return ringRevocation(
    {
      revocation,
      freezes,
      ...(sweep === undefined ? {} : { sweep }),
      grants,
      next: await recordsOf(store, grants),
      pending: pending.slice(0, CLOSED_AT_ONCE),
    },
    now,
  );
}
