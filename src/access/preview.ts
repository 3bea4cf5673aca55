/**
 * What a person is shown before they ask: what there is to ask for, who would decide, and whether they may ask at all.
 * The preview is the decision itself, made on the same facts and not committed, so that it cannot promise anything else
 * than what sending would do.
 */
import { type Catalog, findEntitlement, nearest, type Resource } from './catalog.ts';
import type { Refusal } from './command.ts';
import { previewRequest, type RequestFacts } from './decide-request.ts';
import { isRefused } from './decision.ts';
import type { AccountRef, Entitlement, Person, Policy } from './model.ts';
import { subjectName } from './policy.ts';
import type { Clock, Ids, People, Store } from './ports.ts';
import { stagesOf } from './stages.ts';
import { cut, durationText, listed, refusalText } from './words.ts';

/** One resource to choose. */
export interface Choice {
  readonly resource: string;
  readonly title: string;
}

/** What stands in a form; the texts as they were typed, whether they make sense or not. */
export interface FormWish {
  readonly resource?: string;
  readonly role?: string;
  readonly duration?: string;
  readonly reason?: string;
}

export interface FormView {
  /** IANA zone in which `until 17:00` is read. */
  readonly zone: string;
  /** There is nobody to act for, so there is no form. */
  readonly refusal?: Refusal;
  readonly chosen?: ChosenView;
  /** What was chosen is not there, or no longer; or nothing could be looked up just now. */
  readonly missing?: Refusal;
  readonly duration: string;
  readonly reason: string;
}

export interface ChosenView {
  readonly resource: string;
  readonly title: string;
  readonly role: string;
  readonly roles: readonly { readonly role: string; readonly groups: readonly string[] }[];
  /** Stands for the policy and the groups as they are shown here; changes when they do. */
  readonly stamp: string;
  readonly preview: Preview;
}

export interface Preview {
  readonly groups: readonly { readonly directory: string; readonly group: string }[];
  readonly approvals: number;
  /** The policy's approvers by the names that the file gives them: `on-call:dba`. */
  readonly approvers: readonly string[];
  /** Stage by stage; absent where there is only one. */
  readonly stages?: readonly { readonly approvals: number; readonly approvers: readonly string[] }[];
  /** Whom it goes to when nobody answers in the first stage, and after how long. */
  readonly ladder?: readonly { readonly afterMs: number; readonly to: readonly string[] }[];
  /** Names of those who would be asked. */
  readonly asked: readonly string[];
  /** Others than those named may answer too. */
  readonly others: boolean;
  /** It would be approved at once by the policy itself. */
  readonly automatic?: true;
  /** Whoever asks has to confirm it with MFA. */
  readonly proof?: true;
  readonly defaultMs: number;
  readonly maxMs: number;
  readonly minReason: number;
  /** The form of the ticket that the reason must name. */
  readonly ticket?: string;
  /** What sending it now would be answered with, whatever duration and reason; absent when it would be asked. */
  readonly refusal?: Refusal;
}

/** Slack and Teams show no more at once; whoever has more types a few letters. */
export const CHOICES_MAX = 100;
/** Comparing every letter of more names than these takes longer than a person waits between two keys. */
const NEAREST_MAX = 500;

export interface PreviewParts {
  readonly people: People;
  readonly store: Store;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly catalog: () => Catalog;
  readonly facts: (person: Person, entitlement: Entitlement) => Promise<RequestFacts>;
  /** A failed look-up as a refusal; absent for an error of our own. */
  readonly refusalOf: (error: unknown) => Refusal | undefined;
}

export function createPreviews({ people, store, clock, ids, catalog, facts, refusalOf }: PreviewParts) {
  async function choices(by: AccountRef, typed: string): Promise<readonly Choice[]> {
    try {
      // The names of what there is are for the people of this workspace only.
      await people.identify(by);
    } catch (error) {
      if (refusalOf(error) === undefined) throw error;
      return [];
    }
    return search(catalog(), typed);
  }

  async function form(by: AccountRef, wish: FormWish): Promise<FormView> {
    const typed = { duration: wish.duration ?? '', reason: wish.reason ?? '' };
    let person: Person;
    try {
      person = await people.identify(by);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      const base = { ...typed, zone: catalog().timezone };
      // It may be back in a minute, and what somebody has typed so far must not be thrown away for that.
      return refusal.code === 'cannot_check' ? { ...base, missing: refusal } : { ...base, refusal };
    }
    const zone = person.zone ?? catalog().timezone;
    if (wish.resource === undefined) return { ...typed, zone };
    const found = findEntitlement(catalog(), wish.resource, wish.role);
    const entitlement =
      'code' in found && found.code === 'unknown_role' ? findEntitlement(catalog(), wish.resource) : found;
    if ('code' in entitlement) return { ...typed, zone, missing: entitlement };
    const resource = catalog().resources[entitlement.resource];
    if (resource === undefined) throw new Error(`${entitlement.id} has lost its resource`);
    return {
      ...typed,
      zone,
      ...('code' in found ? { missing: found } : {}),
      chosen: {
        resource: resource.name,
        title: resource.title,
        role: entitlement.role,
        roles: Object.values(resource.roles).map(({ role, groups }) => ({
          role,
          groups: groups.map(({ directory, group }) => `${group} in ${directory}`),
        })),
        stamp: stampOf(entitlement),
        preview: await preview(person, entitlement),
      },
    };
  }

  async function preview(person: Person, entitlement: Entitlement): Promise<Preview> {
    const { policy } = entitlement;
    const rule = {
      groups: entitlement.groups,
      approvals: policy.approvals,
      approvers: policy.approvers.map(subjectName),
      ...stagesOfPreview(policy),
      defaultMs: policy.duration.defaultMs,
      maxMs: policy.duration.maxMs,
      minReason: policy.reason.minLength,
      ...(policy.reason.pattern === undefined ? {} : { ticket: policy.reason.pattern }),
      ...(policy.proof?.request === undefined ? {} : { proof: true as const }),
    };
    try {
      const known = await facts(person, entitlement);
      const outcome = previewRequest({}, known, clock.now());
      return {
        ...rule,
        asked: known.approvers.people.filter(({ id }) => id !== person.id).map(({ name }) => name),
        others: !known.approvers.complete,
        ...(!isRefused(outcome) && outcome.done === 'approved' ? { automatic: true as const } : {}),
        ...(isRefused(outcome) ? { refusal: outcome.refusal } : {}),
      };
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return { ...rule, asked: [], others: false, refusal };
    }
  }

  /** The same request once more, for whoever made it; absent for anybody else and for a button that stands for nothing. */
  async function again(by: AccountRef, card: string): Promise<FormWish | undefined> {
    const requestId = (await store.card(card))?.requestId;
    const record = requestId === undefined ? undefined : await store.request(requestId);
    if (record === undefined) return undefined;
    const { request } = record;
    const person = await people.identify(by).catch((error: unknown) => {
      if (refusalOf(error) === undefined) throw error;
      return undefined;
    });
    if (person === undefined || person.id !== request.requester) return undefined;
    return {
      resource: request.resource,
      role: request.role,
      duration: typedDuration(request.durationMs),
      reason: request.reason,
    };
  }

  function stampOf({ id, policy, groups }: Entitlement): string {
    return ids.hash(JSON.stringify([id, policy.hash, groups])).slice(0, 16);
  }

  return {
    choices,
    form,
    again,
    /** Of what would be asked for now; absent when there is no such entitlement. */
    stamp(resource: string, role?: string): string | undefined {
      const entitlement = findEntitlement(catalog(), resource, role);
      return 'code' in entitlement ? undefined : stampOf(entitlement);
    },
  };
}

function stagesOfPreview(policy: Policy): Pick<Preview, 'stages' | 'ladder'> {
  const stages = stagesOf(policy);
  const ladder = stages[0]?.escalate ?? [];
  return {
    ...(stages.length < 2
      ? {}
      : { stages: stages.map(({ approvals, approvers }) => ({ approvals, approvers: approvers.map(subjectName) })) }),
    ...(ladder.length === 0 ? {} : { ladder: ladder.map(({ afterMs, to }) => ({ afterMs, to: to.map(subjectName) })) }),
  };
}

/** Resources that fit what was typed, best first: the name itself, its beginning, the beginning of a word, anywhere. */
export function search(catalog: Catalog, typed: string): readonly Choice[] {
  const wanted = typed.trim().toLowerCase();
  const all = Object.values(catalog.resources);
  if (wanted === '') return all.slice(0, CHOICES_MAX).map(choiceOf);
  const ranked: Resource[][] = [[], [], [], [], []];
  for (const resource of all) {
    const rank = rankOf(wanted, resource.name.toLowerCase(), resource.title.toLowerCase());
    if (rank !== undefined) ranked[rank]?.push(resource);
  }
  const found = ranked.flat().slice(0, CHOICES_MAX);
  if (found.length > 0 || all.length > NEAREST_MAX) return found.map(choiceOf);
  return nearest(wanted, Object.keys(catalog.resources)).flatMap((name) => {
    const resource = catalog.resources[name];
    return resource === undefined ? [] : [choiceOf(resource)];
  });
}

function choiceOf({ name, title }: Resource): Choice {
  return { resource: name, title };
}

function rankOf(wanted: string, name: string, title: string): number | undefined {
  if (name === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  const at = name.indexOf(wanted);
  if (at > 0) return /[._/-]/.test(name[at - 1] ?? '') ? 2 : 3;
  return title.includes(wanted) ? 4 : undefined;
}

/** `1h30m`: a length as people type it, so that it can stand in a form's field. */
export function typedDuration(ms: number): string {
  const seconds = Math.max(1, Math.floor(ms / 1000));
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor((seconds % 86_400) / 3600), 'h'],
    [Math.floor((seconds % 3600) / 60), 'm'],
    [seconds % 60, 's'],
  ] as const;
  return parts.map(([count, unit]) => (count > 0 ? `${count}${unit}` : '')).join('');
}

/** What a form says about what is chosen: what follows, who decides, or why not. */
export function previewLines(preview: Preview, zone: string, commandWord: string): readonly string[] {
  const groups = listed(preview.groups.map(({ directory, group }) => `${group} in ${directory}`));
  const names =
    preview.asked.length === 0 ? '' : `: ${listed(preview.asked)}${preview.others ? ', or others of them' : ''}`;
  const [first, ...later] = (preview.stages ?? [preview]).map(
    ({ approvals, approvers }) =>
      `${approvals} ${approvals === 1 ? 'approval' : 'approvals'} by ${listed(approvers, 'or')}`,
  );
  const steps = (preview.ladder ?? []).map(({ afterMs, to }) => `to ${listed(to)} after ${durationText(afterMs)}`);
  const rule = [
    `${[`${first}${names}`, ...later].join(', then ')}; at most ${durationText(preview.maxMs)}.`,
    ...(steps.length === 0 ? [] : [`If nobody answers, it goes ${listed(steps)}.`]),
  ].join(' ');
  const ticket =
    preview.ticket === undefined ? [] : [`The reason must name a ticket of the form ${cut(preview.ticket, 200)}.`];
  const proof = preview.proof === true ? ['You confirm it with MFA before it is asked for.'] : [];
  if (preview.automatic === true)
    return [
      'Approved at once by its policy; nobody is asked.',
      `You are added to ${groups}, and taken out on time.`,
      ...ticket,
      ...proof,
    ];
  if (preview.refusal === undefined)
    return [rule, `When approved, you are added to ${groups}, and taken out on time.`, ...ticket, ...proof];
  const { reason, next } = refusalText(preview.refusal, zone, commandWord);
  // Who would decide is no use to somebody who may not ask.
  const rest = preview.refusal.code === 'not_eligible' ? [] : [rule];
  return [`Not now: ${reason} ${next}`, ...rest];
}
