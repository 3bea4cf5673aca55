/** The parts of a policy that are more than numbers and names: its conditions, its ticket, its limits. */
import type { Condition } from './access/condition.ts';
import { parseDuration } from './access/grammar.ts';
import type { Policy, Subject } from './access/model.ts';
import { patternProblem } from './access/ticket.ts';
import type { Path } from './config-positions.ts';
import { type Report, refer } from './config-report.ts';
import { type ConfigFile, type PolicySection, parseSubject } from './config-schema.ts';

export type Compile = (expression: string) => { readonly condition: Condition } | { readonly wrong: string };

export const silence: Report = () => undefined;

export function expressionsOf(conditions: Readonly<Record<string, Condition>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(conditions).map(([key, { expression }]) => [key, expression]));
}

export function groupSubject(name: string): Subject[] {
  const subject = parseSubject(`group:${name}`);
  return 'wrong' in subject ? [] : [subject];
}

/** The condition, if it is one, and if what it asks about is in the file. */
export function conditionOf(
  expression: string | undefined,
  path: Path,
  file: ConfigFile,
  compile: Compile,
  report: Report,
): Condition | undefined {
  if (expression === undefined) return undefined;
  const compiled = compile(expression);
  if ('wrong' in compiled) {
    report(path, compiled.wrong);
    return undefined;
  }
  const { condition } = compiled;
  for (const name of condition.groups) {
    const [subject] = groupSubject(name);
    if (subject?.kind === 'group') refer(report, path, 'directory', subject.directory, file.directories);
    else report(path, `'${name}' in requester.groups: a group needs its directory`, `'<directory>/<name>'`);
  }
  for (const name of condition.onCall) refer(report, path, 'on-call source', name, file.onCall ?? {});
  if (condition.reads.some((field) => field.startsWith('incident.')) && !Object.hasOwn(file, 'incidents'))
    report(path, 'it asks for an incident, and there is no source of incidents', 'a section `incidents`');
  return condition;
}

/** What a reason must be like, with the ticket it must name. */
export function reasonOf(
  section: PolicySection['reason'],
  minLength: number,
  path: Path,
  report: Report,
): Policy['reason'] {
  const { pattern, link } = section ?? {};
  const problem = pattern === undefined ? undefined : patternProblem(pattern);
  if (problem !== undefined) report([...path, 'pattern'], problem, "such as '[A-Z][A-Z0-9]+-[0-9]+'");
  if (link !== undefined && pattern === undefined)
    report([...path, 'link'], 'a link to a ticket needs the pattern that finds it', "pattern: '[A-Z]+-[0-9]+'");
  return {
    minLength: section?.minLength ?? minLength,
    ...(pattern === undefined ? {} : { pattern }),
    ...(link === undefined ? {} : { link }),
  };
}

/** Who has to prove who they are; without an issuer nobody could. */
export function proofOf(
  section: PolicySection['proof'],
  path: Path,
  file: ConfigFile,
  report: Report,
): Pick<Policy, 'proof'> {
  if (section === undefined) return {};
  if (file.stepUp === undefined) report(path, 'nobody could prove anything: there is no issuer', 'a section `stepUp`');
  const { request, approve } = section;
  return {
    proof: { ...(request === undefined ? {} : { request }), ...(approve === undefined ? {} : { approve }) },
  };
}

const REVIEW_WITHIN = '24h';

/** Who looks at what was done once a grant has ended. */
export function reviewRuleOf(
  section: PolicySection['review'],
  path: Path,
  requesters: readonly Subject[],
  subjects: (texts: readonly string[], path: Path) => readonly Subject[],
  report: Report,
): Policy['review'] {
  if (section === undefined) return undefined;
  const by = subjects(section.by, [...path, 'by']);
  const [only] = by;
  const [holder] = requesters;
  if (
    by.length === 1 &&
    requesters.length === 1 &&
    only?.kind === 'user' &&
    holder?.kind === 'user' &&
    only.email.toLowerCase() === holder.email.toLowerCase()
  )
    report([...path, 'by'], 'the only one who may ask is the only one who could review it', 'somebody else');
  return { by, withinMs: parseDuration(section.within ?? REVIEW_WITHIN) ?? 0 };
}

/** Access without approval; more than the policy's own maximum would make it the better way of asking. */
export function breakGlassOf(
  section: PolicySection['breakGlass'],
  duration: Policy['duration'],
  path: Path,
  subjects: (texts: readonly string[], path: Path) => readonly Subject[],
  report: Report,
  tooLong: Report,
): Policy['breakGlass'] {
  if (section === undefined) return undefined;
  const maxMs = parseDuration(section.max) ?? 0;
  // An heir that lowers its maximum is told, although the rest stands elsewhere.
  if (maxMs > duration.maxMs)
    tooLong([...path, 'max'], 'break-glass may last longer than what is approved', 'at most duration.max');
  const by = subjects(section.by, [...path, 'by']);
  const reviewers = subjects(section.review.by, [...path, 'review', 'by']);
  if (
    section.review.by.length === 1 &&
    section.by.length === 1 &&
    section.review.by[0] === section.by[0] &&
    by[0]?.kind === 'user'
  )
    report(
      [...path, 'review', 'by'],
      'the only one who may use it is the only one who could review it',
      'somebody else',
    );
  return {
    by,
    maxMs,
    review: { by: reviewers, withinMs: parseDuration(section.review.within ?? REVIEW_WITHIN) ?? 0 },
    ...(section.block === true && { block: true as const }),
    ...(section.underFreeze === true && { underFreeze: true as const }),
  };
}

/** A day's limit below the maximum of one grant would promise what it then takes away. */
export function checkPerDay(duration: Policy['duration'], max: string, path: Path, report: Report): void {
  if (duration.perDayMs !== undefined && duration.perDayMs < duration.maxMs)
    report(path, `a single grant may last longer (${max}) than a person may have in a day`, 'at least duration.max');
}
