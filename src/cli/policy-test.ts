/** `hallpass test`: policies judged on made-up people, by the very code that judges real ones. For CI; nothing is asked. */
import { readFileSync } from 'node:fs';
import { findEntitlement } from '../access/catalog.ts';
import type { Explanation } from '../access/explain.ts';
import { cleanReason, parseWish } from '../access/grammar.ts';
import { createHandler } from '../access/handle.ts';
import { isLive } from '../access/ledger.ts';
import type { AccessRequest, Entitlement, Grant, Instant, Person, Subject } from '../access/model.ts';
import { type People, PeopleError, type RequestRecord, type Store } from '../access/ports.ts';
import { refusalText } from '../access/words.ts';
import { instantOfWall } from '../access/zone.ts';
import type { Settings } from '../config.ts';
import { type PolicyTest, parseTests } from '../config-tests.ts';
import { randomIds } from '../ids.ts';
import { EXIT, type Out } from './out.ts';

interface Ran {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  readonly ok: boolean;
  /** What came instead; absent when it came as expected. */
  readonly why?: string;
}

export async function policyTestCommand(io: Out, settings: Settings, files: readonly string[]): Promise<number> {
  const ran: Ran[] = [];
  for (const file of files) {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      io.say({ ok: false, error: `${file} cannot be read` }, `${file} cannot be read.`);
      return EXIT.usage;
    }
    const parsed = parseTests(text);
    if ('problems' in parsed) {
      const { problems } = parsed;
      io.say({ ok: false, file, problems }, [
        `${file} is not a file of policy tests. Nothing was judged.`,
        ...problems.map(({ line, message }) => `  line ${line}  ${message}`),
      ]);
      return EXIT.usage;
    }
    for (const test of parsed.tests) {
      const why = await judge(settings, test);
      ran.push({
        file,
        line: test.line,
        name: test.name,
        ok: why === undefined,
        ...(why === undefined ? {} : { why }),
      });
    }
  }
  const failed = ran.filter(({ ok }) => !ok).length;
  io.say({ ok: failed === 0, tests: ran }, [
    ...ran.map((one) =>
      one.ok ? `  ok      ${one.name}` : `  FAILED  ${one.name} (${one.file}, line ${one.line}): ${one.why}`,
    ),
    failed === 0 ? `${ran.length} as expected.` : `${failed} of ${ran.length} not as expected.`,
  ]);
  return failed === 0 ? EXIT.done : EXIT.failed;
}

/** What is not as expected; absent when all is. */
async function judge(settings: Settings, test: PolicyTest): Promise<string | undefined> {
  const { catalog } = settings;
  const at = instantAt(test.given.at, catalog.timezone);
  const [resource = '', role] = test.when.asks.split(':', 2);
  const entitlement = findEntitlement(catalog, resource, role);
  if ('code' in entitlement) return differs(test, 'refused', entitlement.code, sentence(entitlement));
  const wish = test.when.for === undefined ? undefined : parseWish(test.when.for);
  if (wish !== undefined && 'code' in wish) return differs(test, 'refused', wish.code, sentence(wish));
  const reason = test.when.reason === undefined ? undefined : cleanReason(test.when.reason);
  if (reason !== undefined && typeof reason !== 'string')
    return differs(test, 'refused', reason.code, sentence(reason));
  const handler = createHandler({
    store: madeUpStore(test, settings, at),
    people: madeUpPeople(test, settings),
    directories: new Map(),
    incidents: {
      openFor: async (name) =>
        (test.given.incidents ?? [])
          .filter((one) => one.resource === name)
          .map((one, i) => ({
            id: `I${i}`,
            title: one.title ?? '',
            openedAt: at - (i + 1) * 60_000,
            openedBy: (one.openedBy ?? []).map((email) => email.toLowerCase()),
          })),
      isOpen: async () => true,
    },
    catalog: () => catalog,
    clock: { now: () => at, monotonic: () => 0 },
    ids: randomIds(),
  });
  const answer = await handler.explain(personOf(test.when.as), entitlement, {
    ...(wish === undefined ? {} : { duration: wish }),
    ...(reason === undefined ? {} : { reason }),
  });
  const outcome = OUTCOME[answer.verdict];
  const code = answer.refusal?.code;
  return (
    differs(test, outcome, code, answer.refusal === undefined ? undefined : sentence(answer.refusal)) ??
    others(test, answer, entitlement)
  );

  function sentence(refusal: Parameters<typeof refusalText>[0]): string {
    return refusalText(refusal, catalog.timezone).reason;
  }
}

const OUTCOME = { refused: 'refused', asks: 'allowed', automatic: 'auto_approved' } as const;

function differs(
  { expect }: PolicyTest,
  outcome: PolicyTest['expect']['outcome'],
  code: string | undefined,
  why: string | undefined,
): string | undefined {
  const said = `it was ${outcome}${code === undefined ? '' : ` (${code})`}${why === undefined ? '' : `: ${why}`}`;
  if (expect.outcome !== outcome) return `expected ${expect.outcome}; ${said}`;
  if (expect.code !== undefined && expect.code !== code) return `expected ${expect.code}; ${said}`;
  return undefined;
}

function others({ expect }: PolicyTest, answer: Explanation, entitlement: Entitlement): string | undefined {
  const { approvals } = entitlement.policy;
  if (expect.approvals !== undefined && expect.approvals !== approvals)
    return `expected ${expect.approvals} approvals; it takes ${approvals}`;
  if (expect.asked === undefined) return undefined;
  const wanted = [...expect.asked].sort().join(', ');
  const asked = [...answer.asked].sort().join(', ');
  return wanted === asked ? undefined : `expected ${wanted || 'nobody'} to be asked; it would be ${asked || 'nobody'}`;
}

// ------------------------------------------------------------------------------------------------- a made-up world

function personOf(email: string): Person {
  return { id: email, name: email, email, active: true };
}

function madeUpPeople({ given }: PolicyTest, settings: Settings): People {
  const inGroup = (subject: Subject & { kind: 'group' }, email: string) =>
    (given.groups?.[email] ?? []).includes(`${subject.directory}/${subject.group}`);
  const onCall = (source: string): readonly string[] => {
    const section = settings.onCall[source];
    // A fixed list is in the file already; whoever takes turns is said by the test.
    return given.onCall?.[source] ?? (section?.type === 'static' ? (section.people ?? []) : []);
  };
  const everybody = [...new Set([...Object.keys(given.groups ?? {}), ...Object.values(given.onCall ?? {}).flat()])];
  return {
    identify: () => Promise.reject(new PeopleError('unavailable', 'there is no chat in a test')),
    named: async (email) => personOf(email),
    stated: async (email) => personOf(email),
    byId: async (id) => personOf(id),
    async holds(subject, { email }) {
      switch (subject.kind) {
        case 'everyone':
          return true;
        case 'user':
          return subject.email.toLowerCase() === email.toLowerCase();
        case 'on-call':
          return onCall(subject.source).includes(email);
        case 'group':
          return inGroup(subject, email);
        // The tests of a file are about people.
        case 'workload':
          return false;
      }
    },
    async membersOf(subject) {
      switch (subject.kind) {
        case 'everyone':
        case 'workload':
          return [];
        case 'user':
          return [personOf(subject.email)];
        case 'on-call':
          return onCall(subject.source).map(personOf);
        case 'group':
          return everybody.filter((email) => inGroup(subject, email)).map(personOf);
      }
    },
    userIn: async (directory, person) => ({
      directory,
      id: person,
      login: person,
      email: person,
      name: person,
      active: true,
    }),
    group: async (directory, group) => ({ directory, groupId: group, groupName: group }),
  };
}

/** The record as far as a decision asks it; anything else is no part of a test, and says so. */
function madeUpStore(test: PolicyTest, settings: Settings, now: Instant): Store {
  const records = (test.given.history ?? []).map((one, i) => recordOf(test, settings, now, one, i));
  const known: Partial<Store> = {
    open: async (_person, id) => ({
      pending: [],
      grants: records.flatMap(({ grant }) =>
        grant !== undefined && grant.entitlement === id && isLive(grant) ? [grant] : [],
      ),
    }),
    list: async ({ entitlements, liveGrants }) =>
      records.filter(
        ({ request, grant }) =>
          (entitlements?.includes(request.entitlement) ?? true) &&
          (liveGrants !== true || (grant !== undefined && isLive(grant))),
      ),
    memberships: async (keys) => keys.map((key) => ({ key, grants: [] })),
    requestsSince: async () => 0,
    holder: async () => undefined,
    freezes: async () => ({ version: 0, live: [] }),
  };
  return new Proxy(known as Store, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      if (found === undefined) throw new Error(`a policy test has no answer to ${String(name)}`);
      return found;
    },
  });
}

type Past = NonNullable<PolicyTest['given']['history']>[number];

function recordOf({ when }: PolicyTest, { catalog }: Settings, now: Instant, past: Past, i: number): RequestRecord {
  const startsAt = instantAt(past.from, catalog.timezone);
  const expiresAt = startsAt + past.for;
  const over = past.ended === true || expiresAt <= now;
  const [resource = '', role = ''] = past.of.split(':', 2);
  const found = findEntitlement(catalog, resource, role);
  const policyName = 'code' in found ? '' : found.policy.name;
  const grant: Grant = {
    id: `G-${i}`,
    version: 1,
    requestId: `R-${i}`,
    state: over ? 'ended' : 'active',
    holder: when.as,
    holderName: when.as,
    entitlement: past.of,
    memberships: [],
    durationMs: past.for,
    maxMs: past.for,
    warnBeforeMs: 0,
    sessionTailMs: 0,
    approvedAt: startsAt,
    addBy: startsAt,
    hardEndAt: expiresAt,
    startsAt,
    expiresAt,
    ...(over ? { endingAt: expiresAt, endedAt: expiresAt } : {}),
  };
  const request: AccessRequest = {
    id: grant.requestId,
    version: 1,
    state: 'approved',
    requester: when.as,
    requesterName: when.as,
    users: [],
    entitlement: past.of,
    resource,
    role,
    title: resource,
    groups: [],
    durationMs: past.for,
    reason: '',
    policyName,
    policyHash: '',
    approvalsNeeded: 1,
    digest: '',
    cardId: '',
    createdAt: startsAt,
    lapsesAt: startsAt,
    audiences: [],
  };
  return { request, approvals: [], grant };
}

function instantAt(text: string, zone: string): Instant {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0] = text.split(/[-T :]/).map(Number);
  return instantOfWall({ year, month, day, hour, minute }, zone);
}
