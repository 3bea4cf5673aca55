/**
 * The one place where a command from people is carried through: gather the facts, decide, commit, and when somebody was
 * faster, do it again. What is said afterwards is read back from what was committed.
 */

import { createBreakGlasses, type Prove } from './break-glass.ts';
import { REQUESTS_WITHIN_MS } from './caps.ts';
import { entitlementById, findEntitlement, resourceNamed } from './catalog.ts';
import type { Answer, By, Command, ProvenCommand, Refusal, Target } from './command.ts';
import { decideAdopt } from './decide-adopt.ts';
import { decideApprove, decideDeny } from './decide-answer.ts';
import { decideCancel, decideReturn, decideRevoke, respondersFor } from './decide-close.ts';
import { linkHolder, mayConfirm, PROOFS_MOST, type Proving } from './decide-proof.ts';
import { decideExtend, decideRequest, durationOf, type RequestFacts } from './decide-request.ts';
import { isMachine, needsPerson } from './decide-session.ts';
import { isRefused, type Outcome, refused } from './decision.ts';
import { type Carried, createEmergency, isRefusedCarried } from './emergency.ts';
import { type ExplainWish, type Explanation, explain } from './explain.ts';
import type { FindingAudience, FindingView } from './finding-view.ts';
import { createFindings, type FindingParts } from './findings.ts';
import { frozenRefusal, personFrozen, vouches } from './freeze.ts';
import {
  askSubjects,
  circumstancesOf,
  groupsOf,
  incidentsToEndWith,
  keysFor,
  messageOf,
  type Sources,
  standingOf,
  usersOf,
  whoApproves,
} from './gather.ts';
import { createHomes } from './home.ts';
import { createLinks } from './links.ts';
import type { Caller, Change, Entitlement, Person, Proof, RequestId } from './model.ts';
import {
  type AccountOwners,
  type Clock,
  type Delivery,
  DirectoryError,
  type GrantRecord,
  type Ids,
  type Intake,
  type MessageRow,
  MessengerError,
  PeopleError,
  type Questions,
  type Reports,
  type RequestRecord,
  StaleStateError,
} from './ports.ts';
import { createPreviews } from './preview.ts';
import { createQueries } from './queries.ts';
import type { ReportView } from './report.ts';
import type { ReviewView } from './review-view.ts';
import { createReviews, type ReviewParts } from './reviews.ts';
import { createRevocations } from './revocations.ts';
import { rightsOf } from './rights.ts';
import { signDigest } from './security-digest.ts';
import { answerersOf, deniersOf, everAsked, laterAnswerers } from './stages.ts';
import { withoutFindings } from './story.ts';
import { storyView } from './story-view.ts';
import { type RequestView, viewOf } from './view.ts';
import { askedFor, askingAs, isOwn, requestersOf, workloadMay } from './workload.ts';

export interface HandlerParts extends Sources, Pick<FindingParts, 'activity'>, Pick<ReviewParts, 'activityFailing'> {
  readonly activity?: NonNullable<FindingParts['activity']> & NonNullable<ReviewParts['activity']>;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Absent: reports are not drawn here. */
  readonly reports?: Reports;
  /** Every message that was posted, or was to be, about a request. Absent: a story is told without them. */
  readonly messagesOf?: (id: RequestId) => Promise<readonly MessageRow[]>;
  /** Where a person proves who they are. Absent: nobody can, and what wants a proof is not done. */
  readonly proofLink?: (id: string) => string;
  /** For linking accounts. */
  readonly owners?: AccountOwners;
}

export interface Handler extends Questions {
  /** Never half done: when it resolves, everything is committed or nothing is. Rejects only when we were wrong. */
  handle(command: Command, delivery?: string | Intake): Promise<Answer>;
  /** What people are shown of a request, as it is now. */
  view(id: RequestId, zone?: string): Promise<RequestView | undefined>;
  /** What asking would lead to, for anybody. Throws what a look-up throws. `commandWord`: how whoever reads it types. */
  explain(person: Person, entitlement: Entitlement, wish: ExplainWish, commandWord?: string): Promise<Explanation>;
  /** A post-access review, as it is now. */
  review(id: string): Promise<ReviewView | undefined>;
  /** A finding, as it is now. */
  finding(id: string, audience: FindingAudience): Promise<FindingView | undefined>;
  /** How far a revocation of many grants is. */
  revocation(id: string, zone?: string): Promise<ReportView | undefined>;
}

/** Somebody else was faster this many times in a row: the person is asked to try again. */
const ATTEMPTS_MAX = 12;

/** So many pending requests and live grants are looked through for a resource's name; ids have no such limit. */
const NAMED_MAX = 2_000;

const BUSY: Answer = { say: 'refused', refusal: { code: 'busy' } };

/** Either an outcome to commit, or an answer to a question that changes nothing. */
type Handled = { readonly outcome: Outcome } | { readonly answer: Answer; readonly changes?: readonly Change[] };

export function createHandler(parts: HandlerParts): Handler {
  const { store, people, clock, ids, catalog } = parts;
  const links = createLinks(parts);
  const queries = createQueries({ ...parts, view });
  const emergency = createEmergency(parts);
  const revocations = createRevocations({ ...parts, view });
  const breakGlasses = createBreakGlasses({ ...parts, facts: requestFacts });
  const reviews = createReviews({ ...parts, requestIdOf });
  const findings = createFindings(parts);
  const homes = createHomes({ ...parts, view, refusalOf: lookupRefusal });

  async function handle(command: Command, delivery?: string | Intake): Promise<Answer> {
    const intake = typeof delivery === 'object' ? delivery : undefined;
    const key = typeof delivery === 'object' ? delivery.key : delivery;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const handled = await carry(command, attempt, key);
      const closes = intake === undefined ? key : await intake.closing();
      if (closes === 'replayed') return BUSY;
      try {
        return await finish(handled, command, closes);
      } catch (error) {
        // Somebody changed a row this rests on: everything is looked up and decided afresh.
        if (!(error instanceof StaleStateError)) throw error;
        intake?.overtaken();
      }
    }
    // Closed before it is said: what a person is told was not done must not be done later.
    const closes = intake === undefined ? key : await intake.closing();
    if (closes !== 'replayed') await close(closes);
    return BUSY;
  }

  /** Closes a delivery that leads to no change. */
  async function close(delivery: string | Delivery | undefined): Promise<void> {
    if (typeof delivery === 'string') await store.answered(delivery);
    else if (delivery !== undefined) await store.commit({ changes: [], delivery });
  }

  async function finish(handled: Handled, command: Command, delivery: string | Delivery | undefined): Promise<Answer> {
    if ('answer' in handled) {
      const { changes = [], answer } = handled;
      if (changes.length > 0) await store.commit({ changes, ...(delivery === undefined ? {} : { delivery }) });
      else await close(delivery);
      return answer;
    }
    const { outcome } = handled;
    const changes = isRefused(outcome)
      ? [
          ...(outcome.changes ?? []),
          ...(outcome.record === undefined ? [] : [{ put: 'event' as const, row: outcome.record }]),
        ]
      : outcome.changes;
    if (changes.length > 0) await store.commit({ changes, ...(delivery === undefined ? {} : { delivery }) });
    else await close(delivery);
    if (isRefused(outcome)) {
      const about = refusalAbout(outcome.refusal, command);
      const request =
        about === undefined ? undefined : await view(about, await zoneOf('by' in command ? command.by : undefined));
      return { say: 'refused', refusal: outcome.refusal, ...(request === undefined ? {} : { request }) };
    }
    const shown = await view(outcome.requestId, await zoneOf('by' in command ? command.by : undefined));
    // The row was committed a moment ago in this very store.
    if (shown === undefined) throw new Error(`request ${outcome.requestId} is gone`);
    return {
      say: 'done',
      what: outcome.done,
      request: shown,
      ...(outcome.asked === undefined ? {} : { asked: outcome.asked }),
    };
  }

  async function carry(command: Command, attempt: number, delivery: string | undefined): Promise<Handled> {
    const correlation = delivery === undefined ? {} : { correlation: delivery };
    try {
      return await route(command, attempt, correlation);
    } catch (error) {
      const refusal = lookupRefusal(error);
      if (refusal === undefined) throw error;
      return { outcome: refused(refusal) };
    }
  }

  /** `given`: the proof whose click is being decided. */
  async function route(command: Command, attempt: number, correlation: Correlation, given?: Proof): Promise<Handled> {
    if ('session' in command.by && (needsPerson(command) || !workloadMay(command))) {
      const person = await people.identify(command.by);
      if (person.workload !== undefined || (needsPerson(command) && isMachine(person)))
        return { outcome: refused({ code: 'person_needed' }) };
    }
    if ('by' in command && vouches(command) && !('operator' in command.by)) {
      const freeze = personFrozen(await store.freezes(), (await people.identify(command.by)).id);
      if (freeze !== undefined) return { outcome: refused(frozenRefusal(freeze)) };
    }
    switch (command.do) {
      case 'help':
        return { answer: { say: 'help' } };
      case 'request': {
        const person = await people.identify(command.by);
        const entitlement = findEntitlement(catalog(), command.resource, command.role);
        if ('code' in entitlement) return { outcome: refused(entitlement) };
        const [facts, proving] = await Promise.all([
          requestFacts(person, entitlement, attempt, correlation),
          provingOf(command, given)(person, entitlement),
        ]);
        return { outcome: decideRequest(command, { ...facts, ...proving }, clock.now()) };
      }
      case 'extend': {
        const person = await people.identify(command.by);
        const grant = await grantAt(command.target, person, 'mine');
        if ('code' in grant) return { outcome: refused(grant) };
        const entitlement = entitlementById(catalog(), grant.grant.entitlement);
        if (entitlement === undefined)
          return { outcome: refused({ code: 'unknown_resource', asked: grant.grant.entitlement, suggestions: [] }) };
        const [facts, proving] = await Promise.all([
          requestFacts(person, entitlement, attempt, correlation),
          provingOf(command, given)(person, entitlement),
        ]);
        return { outcome: decideExtend(command, { ...facts, ...proving, extended: grant }, clock.now()) };
      }
      case 'approve':
        return { outcome: await approve(command, correlation, given) };
      case 'link':
        return await links(command, await provingLink(command, given), correlation);
      case 'confirm-proof':
        return await confirm(command, attempt, correlation);
      case 'show':
        return await show(command);
      case 'deny': {
        const person = await people.identify(command.by);
        const record = await recordAt(command.target, person, 'pending');
        if ('code' in record) return { outcome: refused(record) };
        const entitlement = entitlementById(catalog(), record.request.entitlement);
        const wanted = entitlement === undefined ? [] : deniersOf(entitlement.policy, record);
        const subjects = await askSubjects(people, wanted, person);
        return {
          outcome: decideDeny(
            command,
            { person, record, ...present({ entitlement }), subjects, hash: ids.hash, ...correlation },
            clock.now(),
          ),
        };
      }
      case 'cancel': {
        const person = await people.identify(command.by);
        const record = await recordAt(command.target, person, 'mine');
        if ('code' in record) return { outcome: refused(record) };
        return { outcome: decideCancel({ person, record, ...correlation }, clock.now()) };
      }
      case 'return': {
        const person = await people.identify(command.by);
        const record = await grantAt(command.target, person, 'mine');
        if ('code' in record) return { outcome: refused(record) };
        return { outcome: decideReturn({ person, record, ...correlation }, clock.now()) };
      }
      case 'revoke': {
        const all = meantAsWhole(command);
        return all === undefined
          ? { outcome: await revoke(command, correlation) }
          : carriedOut(await revocations.preview(all, correlation));
      }
      case 'break-glass':
        return { outcome: await breakGlasses.use(command, attempt, correlation, provingOf(command, given)) };
      case 'review':
        return carriedOut(await reviews.decide(command, correlation));
      case 'ask-holder':
        return carriedOut(await findings.ask(command, correlation));
      case 'explain-finding':
        return carriedOut(await findings.explain(command, correlation));
      case 'revoke-finding':
        return { outcome: await revokeFinding(command, correlation) };
      case 'dismiss-finding':
        return carriedOut(await findings.dismiss(command, correlation));
      case 'revoke-all':
        return carriedOut(await revocations.preview(command, correlation));
      case 'confirm-revocation':
        return carriedOut(await revocations.confirm(command, correlation));
      case 'adopt':
        return { outcome: await adopt(command, correlation) };
      case 'freeze':
        return carriedOut(await emergency.freeze(command, correlation));
      case 'unfreeze':
        return carriedOut(await emergency.unfreeze(command, correlation));
      case 'status':
        return { answer: await status(command.by, command.target) };
      case 'story':
        return { answer: await story(command) };
      case 'list':
        return { answer: await queries.list(command) };
      case 'explain': {
        const person = await people.identify(command.by);
        const entitlement = findEntitlement(catalog(), command.resource, command.role);
        if ('code' in entitlement) return { outcome: refused(entitlement) };
        const { report } = await explained(person, entitlement, command);
        return { answer: { say: 'report', about: 'explain', report } };
      }
      case 'who':
        return { answer: await queries.who(command) };
      case 'on-call':
        return { answer: await queries.onCall(command) };
      case 'digest':
        return await queries.digest(command);
      case 'sign-digest':
        return carriedOut(await signDigest(parts, command, correlation));
    }
  }

  async function requestFacts(
    person: Person,
    entitlement: Entitlement,
    attempt: number,
    correlation: Correlation,
  ): Promise<RequestFacts> {
    const [subjects, users, groups, open, approvers, circumstances, openIncidents, freezes, lately] = await Promise.all(
      [
        askSubjects(people, entitlement.policy.requesters, person),
        usersOf(people, entitlement, person),
        groupsOf(people, entitlement),
        store.open(person.id, entitlement.id),
        whoApproves(people, entitlement, person),
        circumstancesOf(parts, person, entitlement),
        incidentsToEndWith(parts, entitlement),
        store.freezes(),
        requestsLately(person),
      ],
    );
    const inactive = users.find((user) => !user.active);
    if (inactive !== undefined)
      throw new PeopleError('deactivated', `The account ${inactive.login} in ${inactive.directory} is not active.`);
    const { approvalsChannel: channel, teamsChannel } = catalog();
    return {
      person,
      entitlement,
      subjects,
      users: users.map(({ directory, userId, login }) => ({ directory, userId, login })),
      groups,
      pending: open.pending,
      grants: open.grants,
      standing: await standingOf(parts, keysFor(groups, users)),
      approvers,
      circumstances,
      openIncidents,
      freezes,
      requestsLately: lately,
      timezone: catalog().timezone,
      ...(channel === undefined ? {} : { approvalsChannel: channel }),
      ...present({ teamsChannel }),
      ids: { short: ids.short(attempt), opaque: ids.opaque() },
      hash: ids.hash,
      ...correlation,
    };
  }

  /** Of a pipeline: its service person's, or its human's where those are more. */
  async function requestsLately(person: Person): Promise<number> {
    const since = clock.now() - REQUESTS_WITHIN_MS;
    return Math.max(...(await Promise.all(requestersOf(askingAs(person)).map((id) => store.requestsSince(id, since)))));
  }

  /** Looked up only where the policy wants a proof, or one was given. */
  function provingOf(command: ProvenCommand, given: Proof | undefined): Prove {
    return async (person, { policy }) => {
      const { proofLink: link } = parts;
      if (link === undefined || (policy.proof === undefined && given === undefined)) return {};
      const open = await store.openProofs(person.id, PROOFS_MOST + 1);
      const { by } = command;
      return { proving: { newId: ids.opaque(), link, by, command, open, ...present({ given }) } };
    };
  }

  async function provingLink(
    command: Command & { do: 'link' },
    given: Proof | undefined,
  ): Promise<Proving | undefined> {
    const { proofLink: link } = parts;
    if (link === undefined) return undefined;
    const { by } = command;
    const open = await store.openProofs(linkHolder(by), PROOFS_MOST + 1);
    return { newId: ids.opaque(), link, by, command, open, ...present({ given }) };
  }

  /** Whoever clicks is known by the sign-in; that they are still who asked is looked up again. */
  async function confirm(
    command: Command & { do: 'confirm-proof' },
    attempt: number,
    correlation: Correlation,
  ): Promise<Handled> {
    const proof = await store.proof(command.proof);
    const no = mayConfirm(proof, ids.hash(command.seal), clock.now());
    if (no !== undefined || proof?.command === undefined)
      return { outcome: refused(no ?? { code: 'proof_over', why: 'expired' }) };
    return await route(proof.command, attempt, correlation, proof);
  }

  async function approve(
    command: Command & { do: 'approve' },
    correlation: Correlation,
    given: Proof | undefined,
  ): Promise<Outcome> {
    const person = await people.identify(command.by);
    const card = await store.card(command.target.card);
    const record = card === undefined ? undefined : await store.request(card.requestId);
    if (card === undefined || record === undefined) return refused({ code: 'expired_button' });
    const { request } = record;
    const entitlement = entitlementById(catalog(), request.entitlement);
    const freezes = await store.freezes();
    const base = { person, record, card, freezes, hash: ids.hash, newCardId: ids.opaque(), ...correlation };
    // Looked up only while there is something to answer: a click on an old message costs no vendor call.
    if (request.state !== 'pending' || entitlement === undefined || askedFor(request, person.id))
      return decideApprove(
        {
          ...base,
          ...present({ entitlement }),
          subjects: [],
          groups: request.groups,
          requesterSubjects: [],
          requesterActive: { active: true },
          memberships: [],
        },
        clock.now(),
        command.durationMs,
      );
    const [standing, groups, requester, memberships, extended, proving] = await Promise.all([
      mayAnswer(person, entitlement, record),
      groupsOf(people, entitlement),
      requesterNow(record, entitlement),
      store.memberships(keysFor(request.groups, request.users)),
      request.extendsGrant === undefined ? undefined : store.grant(request.extendsGrant),
      provingOf(command, given)(person, entitlement),
    ]);
    return decideApprove(
      {
        ...base,
        entitlement,
        ...standing,
        groups,
        requesterSubjects: requester.subjects,
        requesterActive: requester.active,
        memberships,
        ...proving,
        ...present({ extended, conditions: requester.conditions }),
      },
      clock.now(),
      command.durationMs,
    );
  }

  /** The person against those who may answer now and, where they may not, against those whose turn comes later. */
  async function mayAnswer(person: Person, { policy }: Entitlement, record: RequestRecord) {
    const subjects = await askSubjects(people, answerersOf(policy, record), person);
    if (subjects.some((answer) => 'holds' in answer && answer.holds)) return { subjects };
    return { subjects, later: await askSubjects(people, laterAnswerers(policy, record), person) };
  }

  /** The requester as they are at the grant: same human, active everywhere, and still one of those who may ask. */
  async function requesterNow(record: RequestRecord, entitlement: Entitlement) {
    const { request } = record;
    try {
      const person = await requesterPerson(record);
      const users = await usersOf(people, entitlement, person);
      const same = users.every((user) =>
        request.users.some((pinned) => pinned.directory === user.directory && pinned.userId === user.userId),
      );
      const subjects = await askSubjects(people, entitlement.policy.requesters, person);
      const active = person.id === request.requester && same && users.every((user) => user.active);
      const circumstances = await circumstancesOf(parts, person, entitlement);
      const conditions = { person, entitlement, circumstances, timezone: catalog().timezone };
      return { subjects, active: { active }, conditions };
    } catch (error) {
      if (error instanceof PeopleError && error.code !== 'unavailable')
        return { subjects: [], active: { active: false } };
      if (lookupRefusal(error) === undefined) throw error;
      return { subjects: [], active: { error: messageOf(error) } };
    }
  }

  async function requesterPerson({ request }: RequestRecord): Promise<Person> {
    const { workload } = request;
    // A job's token is over long before anybody answers: what it said is on the request, and people are asked afresh.
    if (workload !== undefined) {
      if (workload.onBehalfOf !== undefined) await people.byId(workload.onBehalfOf.person);
      return { ...(await people.byId(request.requester)), workload };
    }
    if (request.requesterAccount === undefined) return await people.byId(request.requester);
    return await people.identify(request.requesterAccount);
  }

  async function show({ by, target, duration }: Command & { do: 'show' }): Promise<Handled> {
    const person = await people.identify(by);
    const record = await recordAt(target, person, 'pending');
    if ('code' in record) return { outcome: refused(record) };
    const { request } = record;
    if (askedFor(request, person.id)) return { outcome: refused({ code: 'own_request' }) };
    if (request.state !== 'pending') return { outcome: refused({ code: 'not_pending', requestId: request.id }) };
    const entitlement = entitlementById(catalog(), request.entitlement);
    // Whoever is asked later may look at it, and deny it, before it is their turn.
    const no = await queries.mayNot(person, entitlement === undefined ? [] : deniersOf(entitlement.policy, record));
    if (no !== undefined)
      return {
        outcome: refused(no === 'no' ? { code: 'not_an_approver', entitlement: request.entitlement, wanted: [] } : no),
      };
    const shown = await view(request.id, person.zone);
    if (shown === undefined) return { outcome: refused({ code: 'unknown_id', asked: request.id }) };
    if (duration === undefined) return { answer: { say: 'card', request: shown } };
    const now = clock.now();
    // `until` means when the access ends: what is left until then from now, or from the end that would be moved.
    const from = 'until' in duration ? (shown.extension?.from ?? now) : now;
    const until = durationOf(duration, request.durationMs, person.zone ?? catalog().timezone, now);
    if (typeof until !== 'number') return { outcome: refused(until) };
    const durationMs = until - (from - now);
    if (durationMs <= 0)
      return {
        outcome: refused({ code: 'time_past', at: now + until, zone: person.zone ?? catalog().timezone }),
      };
    if (durationMs > request.durationMs)
      return {
        outcome: refused({ code: 'longer_than_asked', requestId: request.id, askedMs: request.durationMs }),
      };
    return { answer: { say: 'card', request: shown, durationMs } };
  }

  /** A resource's name means everything in it, unless it looks like an id and there is one. */
  function meantAsWhole(command: Command & { do: 'revoke' }): (Command & { do: 'revoke-all' }) | undefined {
    const { target, by, reason } = command;
    if ('card' in target || /^[rg]-/i.test(target.typed)) return undefined;
    const resource = resourceNamed(catalog(), target.typed);
    return resource && { do: 'revoke-all', by, aim: { resource: resource.name }, except: [], reason };
  }

  async function revoke(command: Command & { do: 'revoke' }, correlation: Correlation): Promise<Outcome> {
    const responders = catalog().responders;
    if ('operator' in command.by) {
      const record = await grantAt(command.target, undefined, 'any');
      if ('code' in record) return refused(record);
      const entitlement = entitlementById(catalog(), record.grant.entitlement);
      return decideRevoke(
        command,
        { by: { operator: command.by.operator }, responders, ...present({ entitlement }), record, ...correlation },
        clock.now(),
      );
    }
    const person = await people.identify(command.by);
    const record = await grantAt(command.target, person, 'any');
    if ('code' in record) return refused(record);
    const entitlement = entitlementById(catalog(), record.grant.entitlement);
    const wanted = respondersFor({ responders, ...present({ entitlement }) });
    const subjects = await askSubjects(people, wanted, person);
    return decideRevoke(
      command,
      { by: { person, subjects }, responders, ...present({ entitlement }), record, ...correlation },
      clock.now(),
    );
  }

  /** The same revocation as any other, with the finding for its reason; both are one commit. */
  async function revokeFinding(
    { by, finding: id }: Command & { do: 'revoke-finding' },
    correlation: Correlation,
  ): Promise<Outcome> {
    const finding = await findings.find(id);
    if (finding === undefined) return refused({ code: 'unknown_id', asked: id });
    const person = await people.identify(by);
    const own = await findings.mayNotRevoke(finding, person, correlation);
    if (own !== undefined) return own;
    const reason = `Finding ${finding.id}: ${finding.title}`;
    const outcome = await revoke({ do: 'revoke', by, target: { typed: finding.grantId }, reason }, correlation);
    if (isRefused(outcome)) return outcome;
    const closes = await findings.revoked(finding, person, correlation);
    return { ...outcome, changes: [...outcome.changes, ...closes] };
  }

  async function adopt(command: Command & { do: 'adopt' }, correlation: Correlation): Promise<Outcome> {
    const person = await people.identify(command.by);
    const [record, subjects, freezes] = await Promise.all([
      grantAt(command.target, person, 'any'),
      askSubjects(people, catalog().admins, person),
      store.freezes(),
    ]);
    const facts = { person, subjects, admins: catalog().admins, freezes, ...correlation };
    return decideAdopt(command, { ...facts, ...('code' in record ? { missing: record } : { record }) }, clock.now());
  }

  async function status(by: Caller, target: Target | undefined): Promise<Answer> {
    if (target === undefined) return await queries.list({ do: 'list', by, which: 'mine' });
    const seen = await seenBy(by, target);
    return 'code' in seen
      ? { say: 'refused', refusal: seen }
      : { say: 'status', request: seen.shown, ...(await queries.notesOn(seen.request, seen.person)) };
  }

  async function story({ by, target }: Command & { do: 'story' }): Promise<Answer> {
    const seen = await seenBy(by, target);
    if ('code' in seen) return { say: 'refused', refusal: seen };
    const { request, shown, person } = seen;
    const [events, messages] = await Promise.all([store.story(request.id), parts.messagesOf?.(request.id) ?? []]);
    const { audits } = await rightsOf(parts, person);
    const told = audits ? events : withoutFindings(events);
    const material = { request: shown, groups: request.groups, events: told, messages };
    return {
      say: 'report',
      about: 'story',
      report: storyView(material, clock.now(), person.zone ?? catalog().timezone),
    };
  }

  /** A request as somebody may see it: their own, what they may answer, and everybody's for those who see everything. */
  async function seenBy(by: Caller, target: Target) {
    const person = await people.identify(by);
    const record = await recordAt(target, person, 'any');
    if ('code' in record) return record;
    const { request } = record;
    if (person.workload === undefined ? !askedFor(request, person.id) : !isOwn(request, person)) {
      const entitlement = entitlementById(catalog(), request.entitlement);
      const asked = entitlement === undefined ? [] : everAsked(entitlement.policy);
      const no = await queries.mayNot(person, [...queries.seers(), ...asked]);
      if (no !== undefined) return no === 'no' ? ({ code: 'not_a_viewer' } as const) : no;
    }
    const shown = await view(request.id, person.zone);
    return shown === undefined ? ({ code: 'unknown_id', asked: request.id } as const) : { person, request, shown };
  }

  // ------------------------------------------------------------------------------------------- what is pointed at

  /** Typed ids name one request; a resource name stands for the only one of the wanted kind. */
  async function recordAt(
    target: Target,
    person: Person | undefined,
    among: 'mine' | 'pending' | 'any',
  ): Promise<RequestRecord | Refusal> {
    if ('card' in target) {
      const card = await store.card(target.card);
      const record = card === undefined ? undefined : await store.request(card.requestId);
      return record ?? { code: 'expired_button' };
    }
    const id = requestIdOf(target.typed);
    const byId = id === undefined ? undefined : await store.request(id);
    if (byId !== undefined) return byId;
    const entitlement = findEntitlement(catalog(), ...splitName(target.typed));
    if ('code' in entitlement) return { code: 'unknown_id', asked: target.typed };
    const roleGiven = target.typed.includes(':');
    // Apart from each other: ended grants are approved requests too, and would crowd out the live ones.
    const of = { ...(among === 'mine' && person !== undefined ? { person: person.id } : {}), limit: NAMED_MAX };
    const open = [
      ...(await store.list({ ...of, states: ['pending'] })),
      ...(among === 'pending' ? [] : await store.list({ ...of, states: ['approved'], liveGrants: true })),
    ];
    const fits = open.filter(
      ({ request, grant }) =>
        (roleGiven ? request.entitlement === entitlement.id : request.resource === entitlement.resource) &&
        (request.state === 'pending' || (among !== 'pending' && grant !== undefined && grant.state !== 'ended')),
    );
    const only = fits[0];
    if (only === undefined) return { code: 'unknown_id', asked: target.typed };
    if (fits.length > 1)
      return { code: 'ambiguous_id', asked: target.typed, ids: fits.slice(0, 5).map(({ request }) => request.id) };
    return only;
  }

  async function grantAt(
    target: Target,
    person: Person | undefined,
    among: 'mine' | 'any',
  ): Promise<GrantRecord | Refusal> {
    const record = await recordAt(target, person, among);
    if ('code' in record) return record;
    const { request } = record;
    const id = request.extendsGrant ?? record.grant?.id;
    const grant = id === undefined ? undefined : await store.grant(id);
    return grant ?? { code: 'no_grant', requestId: request.id };
  }

  async function view(id: RequestId, zone?: string): Promise<RequestView | undefined> {
    const record = await store.request(id);
    if (record === undefined) return undefined;
    const grant = record.grant === undefined ? undefined : await store.grant(record.grant.id);
    const extended =
      record.request.extendsGrant === undefined ? undefined : (await store.grant(record.request.extendsGrant))?.grant;
    const link = entitlementById(catalog(), record.request.entitlement)?.link;
    return viewOf({ record, ...present({ grant, extended, link }) }, clock.now(), zone ?? catalog().timezone);
  }

  async function zoneOf(by: By | undefined): Promise<string | undefined> {
    if (by === undefined || 'operator' in by) return undefined;
    return (await people.identify(by).catch(() => undefined))?.zone;
  }

  async function explained(person: Person, entitlement: Entitlement, wish: ExplainWish, commandWord?: string) {
    return explain(await requestFacts(person, entitlement, 0, {}), wish, clock.now(), commandWord);
  }

  const facts = (person: Person, entitlement: Entitlement) => requestFacts(person, entitlement, 0, {});
  return {
    handle,
    view,
    explain: explained,
    revocation: revocations.report,
    review: reviews.view,
    finding: findings.view,
    ...createPreviews({ ...parts, facts, refusalOf: lookupRefusal }),
    home: homes.home,
  };
}

function carriedOut(carried: Carried): Handled {
  return isRefusedCarried(carried) ? { outcome: carried } : carried;
}

interface Correlation {
  readonly correlation?: string;
}

/** `R-7KQ2`, `g-7kq2` and `7KQ2` all name the request `R-7KQ2`: a grant shares its request's letters. */
export function requestIdOf(typed: string): RequestId | undefined {
  const match = /^(?:[rg]-)?([a-z0-9]{4,6})$/i.exec(typed.trim());
  return match?.[1] === undefined ? undefined : `R-${match[1].toUpperCase()}`;
}

function splitName(typed: string): [string, string?] {
  const at = typed.indexOf(':');
  return at < 0 ? [typed] : [typed.slice(0, at), typed.slice(at + 1)];
}

/** Drops keys that are `undefined`, so that absent stays absent. */
function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** A look-up that failed approves nothing and refuses with its reason; anything else is our own mistake. */
export function lookupRefusal(error: unknown): Refusal | undefined {
  if (error instanceof PeopleError)
    return error.code === 'unavailable'
      ? { code: 'cannot_check', what: 'who is who', error: error.message }
      : { code: 'not_recognised', why: error.code, message: error.message };
  if (error instanceof DirectoryError)
    return error.code === 'rejected' || error.code === 'not_found'
      ? { code: 'group_unusable', group: error.directory, why: error.message }
      : { code: 'cannot_check', what: error.directory, error: error.message };
  if (error instanceof MessengerError) return { code: 'cannot_check', what: 'the chat platform', error: error.message };
  return undefined;
}

/**
 * The request a refusal speaks of, to be shown with it: only to whoever pressed a button on its message, or made it. A
 * typed id is a guess, and must not read out somebody's reason.
 */
function refusalAbout(refusal: Refusal, command: Command): RequestId | undefined {
  const pressed = 'target' in command && command.target !== undefined && 'card' in command.target;
  switch (refusal.code) {
    case 'already_pending':
      return refusal.requestId;
    case 'already_answered':
    case 'changed_since_shown':
    case 'not_pending':
    case 'requester_not_eligible':
      return pressed ? refusal.requestId : undefined;
    default:
      return undefined;
  }
}
