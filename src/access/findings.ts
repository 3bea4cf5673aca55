/** The facts behind what people do about findings. */
import type { ActivityStore, Finding } from './activity.ts';
import type { Command } from './command.ts';
import {
  closeByRevocation,
  decideAskHolder,
  decideDismiss,
  decideExplain,
  type FindingFacts,
  type FindingOutcome,
  notAboutOneself,
} from './decide-finding.ts';
import type { Refused } from './decision.ts';
import type { Carried, EmergencyParts } from './emergency.ts';
import { type FindingAudience, type FindingView, findingView } from './finding-view.ts';
import { askSubjects } from './gather.ts';
import type { AccessRequest, AccountRef, Caller, Change, Person } from './model.ts';

export interface FindingParts extends EmergencyParts {
  /** Absent: no activity is read here, so there is nothing to find. */
  readonly activity?: Pick<ActivityStore, 'finding'>;
}

interface Correlation {
  readonly correlation?: string;
}

export interface Findings {
  ask(command: Command & { do: 'ask-holder' }, correlation: Correlation): Promise<Carried>;
  explain(command: Command & { do: 'explain-finding' }, correlation: Correlation): Promise<Carried>;
  dismiss(command: Command & { do: 'dismiss-finding' }, correlation: Correlation): Promise<Carried>;
  find(id: string): Promise<Finding | undefined>;
  /** Why this person may not revoke because of it, whatever else they may revoke; absent: they may. */
  mayNotRevoke(finding: Finding, person: Person, correlation: Correlation): Promise<Refused | undefined>;
  /** What goes with the revocation of its grant. */
  revoked(finding: Finding, person: Person, correlation: Correlation): Promise<readonly Change[]>;
  view(id: string, audience: FindingAudience): Promise<FindingView | undefined>;
}

export function createFindings(parts: FindingParts): Findings {
  const { store, people, clock, catalog } = parts;
  const find = async (id: string) => await parts.activity?.finding(id.toUpperCase());

  async function carry(
    id: string,
    by: Caller,
    audience: FindingAudience,
    correlation: Correlation,
    decide: (facts: FindingFacts & { readonly account?: AccountRef }) => FindingOutcome,
  ): Promise<Carried> {
    const person = await people.identify(by);
    const finding = await find(id);
    if (finding === undefined) return { refusal: { code: 'unknown_id', asked: id } };
    const { responders, admins } = catalog();
    const may = [...responders, ...admins];
    const [subjects, request] = await Promise.all([
      // Its holder answers for it and does nothing else about it: nobody has to be asked for that.
      person.id === finding.holder ? [] : askSubjects(people, may, person),
      requestOf(finding),
    ]);
    const account = request?.requesterAccount;
    const decided = decide({
      person,
      finding,
      may,
      subjects,
      ...(request === undefined ? {} : { request }),
      ...(account === undefined ? {} : { account }),
      ...correlation,
    });
    if ('refusal' in decided) return decided;
    const shown = await draw(decided.finding, audience, person.zone);
    return { changes: decided.changes, answer: { say: 'finding', finding: shown } };
  }

  async function requestOf({ requestId }: Finding): Promise<AccessRequest | undefined> {
    return (await store.request(requestId))?.request;
  }

  async function draw(finding: Finding, audience: FindingAudience, zone?: string): Promise<FindingView> {
    const grant = (await store.grants([finding.grantId]))[0];
    return findingView(finding, grant, audience, clock.now(), zone ?? catalog().timezone);
  }

  return {
    find,
    ask: (command, correlation) =>
      carry(command.finding, command.by, 'security', correlation, (facts) => decideAskHolder(facts, clock.now())),
    explain: (command, correlation) =>
      carry(command.finding, command.by, 'holder', correlation, (facts) => decideExplain(command, facts, clock.now())),
    dismiss: (command, correlation) =>
      carry(command.finding, command.by, 'security', correlation, (facts) =>
        decideDismiss(command, facts, clock.now()),
      ),
    async mayNotRevoke(finding, person, correlation) {
      const request = (await store.request(finding.requestId))?.request;
      const facts = { person, finding, ...(request === undefined ? {} : { request }), ...correlation };
      return notAboutOneself(facts, 'revoke', clock.now());
    },
    async revoked(finding, person, correlation) {
      const account = (await requestOf(finding))?.requesterAccount;
      const facts = { person, finding, ...(account === undefined ? {} : { account }), ...correlation };
      return closeByRevocation(facts, clock.now());
    },
    async view(id, audience) {
      const finding = await find(id);
      return finding && (await draw(finding, audience));
    },
  };
}
