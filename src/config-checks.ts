/**
 * What is legal line by line and wrong together. A pure function from the file, as the schema took it, to the catalog
 * and to everything that is wrong with it.
 */
import type { Catalog, Resource } from './access/catalog.ts';
import type { Condition } from './access/condition.ts';
import { parseDuration } from './access/grammar.ts';
import type { Entitlement, Policy, Stage, Subject } from './access/model.ts';
import { everAsked, stagesOf } from './access/stages.ts';
import { type CompileMatch, checkActivity, ownActivityOf } from './config-activity.ts';
import {
  breakGlassOf,
  type Compile,
  checkPerDay,
  conditionOf,
  expressionsOf,
  groupSubject,
  proofOf,
  reasonOf,
  reviewRuleOf,
  silence,
} from './config-policy.ts';
import type { Path } from './config-positions.ts';
import { type Finding, own, type Report, refer } from './config-report.ts';
import { type ConfigFile, type PolicySection, parseSubject, platformOfChannel } from './config-schema.ts';
import { canBeFilled, stagesFrom } from './config-stages.ts';

const DEFAULTS = { approvals: 1, duration: '30m', max: '4h', minLength: 10, lapseAfter: '1h', warnBefore: '5m' };

/** `hash`: SHA-256, hex, over the canonical JSON of what it is given. `compile`: an expression, judged. */
export function checkConfig(
  file: ConfigFile,
  hash: (value: unknown) => string,
  compile: Compile,
  match: CompileMatch,
): { catalog: Catalog; findings: readonly Finding[] } {
  const findings: Finding[] = [];
  const report: Report = (path, message, instead) =>
    findings.push({ path, message, ...(instead !== undefined && { instead }) });
  const warn = (path: Path, message: string): void => void findings.push({ path, message, warning: true });

  if (Object.keys(file.directories).length === 0) report(['directories'], 'there must be at least one directory');
  if (
    (file.chat?.slack !== undefined || file.chat?.teams !== undefined) &&
    file.identity?.match === undefined &&
    file.stepUp === undefined &&
    Object.keys(file.people ?? {}).length === 0
  )
    report(
      ['identity'],
      'nobody could be identified: neither emails are trusted nor does `people` name anyone',
      'identity: { match: confirmed-email }, or people: { U012ABC: ann@acme.com }',
    );
  if (file.digest !== undefined && file.chat?.slack === undefined && file.chat?.teams === undefined)
    report(['digest'], 'a digest needs chat.slack or chat.teams');
  const needsPlatform = (id: string | undefined, path: Path): void => {
    if (id === undefined || id === 'security') return;
    const platform = platformOfChannel(id);
    if (file.chat?.[platform] === undefined && file.chat !== undefined)
      report(
        path,
        `this is a channel of ${platform === 'slack' ? 'Slack' : 'Teams'}, and chat.${platform} is not configured`,
      );
  };
  needsPlatform(file.digest?.to, ['digest', 'to']);
  needsPlatform(file.findings?.channel, ['findings', 'channel']);
  checkActivity(file, report, warn);
  for (const [source, section] of Object.entries(file.onCall ?? {}))
    if (section.type === 'slack-user-group' && file.chat?.slack === undefined)
      report(['onCall', source], 'a Slack user group needs chat.slack');

  for (const [key, email] of Object.entries(file.people ?? {})) {
    const bare = /^slack:[^/]+\/(.+)$/.exec(key)?.[1];
    const other = bare === undefined ? undefined : own(file.people ?? {}, bare);
    if (other !== undefined && other.toLowerCase() !== email.toLowerCase())
      report(['people', key], `"${bare}" stands in this list too, for ${other}; an account is one person`);
  }
  for (const resource of Object.keys(file.incidents?.services ?? {}))
    refer(report, ['incidents', 'services', resource], 'resource', resource, file.resources);

  const subjectsOf = (texts: readonly string[] | undefined, path: Path): readonly Subject[] =>
    (texts ?? []).flatMap((text, i) => subjectAt(text, [...path, i]));
  const subjectAt = (text: string, at: Path): readonly Subject[] => {
    const subject = parseSubject(text);
    if ('wrong' in subject) return [];
    if (subject.kind === 'group') refer(report, at, 'directory', subject.directory, file.directories);
    if (subject.kind === 'workload') {
      refer(report, at, 'workload', subject.workload, file.workloads ?? {});
      if (!at.includes('requesters'))
        report(at, 'a pipeline may ask for access, and nothing else', 'workload:<name> among `requesters`');
    }
    if (subject.kind === 'on-call') {
      refer(report, at, 'on-call source', subject.source, file.onCall ?? {});
      if (own(file.onCall ?? {}, subject.source)?.type === 'slack-user-group')
        warn(at, `the Slack user group behind on-call:${subject.source} may be editable by ordinary members`);
    }
    return [subject];
  };

  const admins = subjectsOf(file.admins, ['admins']);
  const responders = subjectsOf(file.responders, ['responders']);
  const viewers = subjectsOf(file.viewers, ['viewers']);

  const trusted = new Map<string, { path: string; sees?: true }>();
  const trust = (subjects: readonly Subject[], path: string, sees?: true): void => {
    for (const subject of subjects)
      if (subject.kind === 'group') {
        const key = groupKey(subject.directory, subject.group);
        if (trusted.get(key) === undefined || trusted.get(key)?.sees === true)
          trusted.set(key, { path, ...(sees && { sees }) });
      }
  };
  trust(admins, 'admins');
  trust(responders, 'responders');

  const policies = new Map<string, Policy>();
  for (const policyName of Object.keys(file.policies)) {
    const merged = inherit(file.policies, policyName, report);
    if (merged === undefined) continue;
    const at = (key: string): Path => ['policies', merged.from[key] ?? policyName, key];
    const section = merged.section;
    // Subjects are looked at where they stand, so that what is inherited is not reported once per heir.
    const silent = (key: 'requesters' | 'approvers'): readonly Subject[] =>
      merged.from[key] === policyName ? subjectsOf(section[key], at(key)) : parsedSubjects(section[key] ?? []);
    const lapseAfterMs = ms(section.lapseAfter ?? DEFAULTS.lapseAfter);
    const mine = (key: keyof PolicySection): boolean => merged.from[key] === policyName;
    const asked = stagesFrom({
      section,
      at,
      subjects: (texts, path) => (path[1] === policyName ? subjectsOf(texts, path) : parsedSubjects(texts)),
      ms,
      report: (key) => (mine(key) ? report : undefined),
      warn,
      lapseAfterMs,
    });
    const content = {
      name: policyName,
      requesters: silent('requesters'),
      approvers: asked.stages?.flatMap((stage) => stage.approvers) ?? silent('approvers'),
      approvals:
        asked.stages?.reduce((sum, stage) => sum + stage.approvals, 0) ?? section.approvals ?? DEFAULTS.approvals,
      ...asked,
      ...endWithIncident(
        section.endWithIncident,
        at('endWithIncident'),
        file,
        mine('endWithIncident') ? report : silence,
      ),
      ...remindEvery(
        section.remindEvery,
        at('remindEvery'),
        lapseAfterMs,
        mine('remindEvery') ? report : silence,
        warn,
      ),
      duration: {
        defaultMs: ms(section.duration?.default ?? DEFAULTS.duration),
        maxMs: ms(section.duration?.max ?? DEFAULTS.max),
        ...(section.duration?.perDay === undefined ? {} : { perDayMs: ms(section.duration.perDay) }),
      },
      reason: reasonOf(
        section.reason,
        DEFAULTS.minLength,
        at('reason'),
        merged.from.reason === policyName ? report : silence,
      ),
      ...(section.maxLive === undefined ? {} : { maxLive: section.maxLive }),
      ...proofOf(section.proof, at('proof'), file, mine('proof') ? report : silence),
      lapseAfterMs,
      warnBeforeMs: ms(section.warnBefore ?? DEFAULTS.warnBefore),
    };
    const glass = breakGlassOf(
      section.breakGlass,
      content.duration,
      at('breakGlass'),
      (texts, path) => (mine('breakGlass') ? subjectsOf(texts, path) : parsedSubjects(texts)),
      mine('breakGlass') ? report : silence,
      mine('breakGlass') ? report : (_path, message, instead) => report(['policies', policyName], message, instead),
    );
    const breakGlass = glass === undefined ? {} : { breakGlass: glass };
    if (glass !== undefined) {
      // Whoever could get into such a group through Hallpass could open the door to the rest, or sign for it.
      trust(glass.by, `policies.${policyName}.breakGlass.by`);
      trust(glass.review.by, `policies.${policyName}.breakGlass.review.by`);
    }
    const rule = reviewRuleOf(
      section.review,
      at('review'),
      content.requesters,
      (texts, path) => (mine('review') ? subjectsOf(texts, path) : parsedSubjects(texts)),
      mine('review') ? report : silence,
    );
    const review = rule === undefined ? {} : { review: rule };
    if (rule !== undefined) trust(rule.by, `policies.${policyName}.review.by`);
    const here: Path = ['policies', policyName];
    const stated = file.policies[policyName]?.duration;
    if (content.duration.defaultMs > content.duration.maxMs) {
      const key =
        stated?.default !== undefined ? ['duration', 'default'] : stated?.max !== undefined ? ['duration', 'max'] : [];
      report(
        [...here, ...key],
        `the default duration (${section.duration?.default ?? DEFAULTS.duration}) is longer than the maximum (${section.duration?.max ?? DEFAULTS.max})`,
        'a default that is at most the maximum',
      );
    }
    // Where a policy says nothing of it, the one that it inherits from is told.
    if (stated !== undefined)
      checkPerDay(
        content.duration,
        section.duration?.max ?? DEFAULTS.max,
        [...here, 'duration', ...(stated.perDay === undefined ? [] : ['perDay'])],
        report,
      );
    const statedBy = (['stages', 'approvers'] as const).find((key) => file.policies[policyName]?.[key] !== undefined);
    checkApprovers(content, file, [...here, ...(statedBy === undefined ? [] : [statedBy])], report, warn);
    if (content.requesters.length === 0)
      report(
        [...here, ...(section.requesters === undefined ? [] : ['requesters'])],
        'nobody may request under this policy',
        'requesters: [ group:<directory>/<name> ]',
      );
    trust(content.requesters, `policies.${policyName}.requesters`);
    trust(
      everAsked({ ...content, hash: '' }),
      `policies.${policyName}.${asked.stages === undefined ? 'approvers' : 'stages'}`,
    );
    const conditions: { when?: Condition; autoApprove?: Condition } = {};
    for (const key of ['when', 'autoApprove'] as const) {
      const condition = conditionOf(
        section[key],
        at(key),
        file,
        compile,
        merged.from[key] === policyName ? report : silence,
      );
      if (condition === undefined) continue;
      conditions[key] = condition;
      // Whoever could get into such a group through Hallpass could make the condition true.
      trust(condition.groups.flatMap(groupSubject), `policies.${policyName}.${key}`);
    }
    policies.set(policyName, {
      ...content,
      ...breakGlass,
      ...review,
      ...conditions,
      hash: hash({ ...content, ...breakGlass, ...review, ...expressionsOf(conditions) }),
    });
  }
  trust(viewers, 'viewers', true);

  const resources: Record<string, Resource> = {};
  const seen = new Map<string, string>();
  for (const [resourceName, section] of Object.entries(file.resources)) {
    const here: Path = ['resources', resourceName];
    const owner = section.owner === undefined ? undefined : subjectAt(section.owner, [...here, 'owner'])[0];
    const twin = seen.get(resourceName.toLowerCase());
    if (twin !== undefined)
      report(here, `differs from "${twin}" only in upper and lower case, which people do not type`);
    seen.set(resourceName.toLowerCase(), resourceName);
    needsPlatform(section.channel, [...here, 'channel']);
    const roleNames = Object.keys(section.roles);
    if (roleNames.length === 0) report([...here, 'roles'], 'a resource needs at least one role');
    if (new Set(roleNames.map((role) => role.toLowerCase())).size < roleNames.length)
      report([...here, 'roles'], 'two roles differ only in upper and lower case');
    const defaultRole = section.defaultRole ?? (roleNames.length === 1 ? roleNames[0] : undefined);
    if (defaultRole === undefined && roleNames.length > 1)
      report(here, 'which role is meant when none is named?', `defaultRole: ${roleNames[0]}`);
    if (defaultRole !== undefined && !roleNames.includes(defaultRole))
      report(
        [...here, 'defaultRole'],
        `"${defaultRole}" is not a role of this resource`,
        `one of ${roleNames.join(', ')}`,
      );
    const shared = ownActivityOf(section.activity, [...here, 'activity'], file, match, report);
    const roles: Record<string, Entitlement> = {};
    for (const [roleName, role] of Object.entries(section.roles)) {
      const at: Path = [...here, 'roles', roleName];
      refer(report, [...at, 'policy'], 'policy', role.policy, file.policies);
      const groups = new Set<string>();
      role.grants.forEach((grant, i) => {
        const where: Path = [...at, 'grants', i];
        refer(report, [...where, 'directory'], 'directory', grant.directory, file.directories);
        const key = groupKey(grant.directory, grant.group);
        if (groups.has(key)) report(where, `the group "${grant.group}" is granted twice by this role`);
        groups.add(key);
        const truster = trusted.get(key);
        if (truster?.sees === true) warn(where, `whoever gets this group also becomes one of ${truster.path}`);
        else if (truster !== undefined)
          report(
            where,
            `the group "${grant.group}" is trusted by ${truster.path}, so that whoever gets this access also gets that authority`,
            'a group of its own, that nothing else relies on',
          );
      });
      const activity = ownActivityOf(role.activity, [...at, 'activity'], file, match, report) ?? shared;
      const policy = policies.get(role.policy);
      if (policy === undefined) continue;
      roles[roleName] = {
        id: `${resourceName}:${roleName}`,
        resource: resourceName,
        role: roleName,
        title: section.title ?? resourceName,
        groups: role.grants.map(({ directory, group, exclusive }) => ({
          directory,
          group,
          ...(exclusive === true && { exclusive }),
        })),
        policy,
        sessionTailMs: role.sessionTail === undefined ? 0 : ms(role.sessionTail),
        ...(section.channel !== undefined && channelOf(section.channel)),
        ...(section.tags !== undefined && { tags: section.tags }),
        ...(section.owner !== undefined && { owner: section.owner }),
        ...(owner !== undefined && { ownerSubject: owner }),
        ...(section.link !== undefined && { link: section.link }),
        ...(activity !== undefined && { activity }),
      };
    }
    resources[resourceName] = {
      name: resourceName,
      title: section.title ?? resourceName,
      defaultRole: defaultRole ?? '',
      roles,
    };
  }

  const approvalsChannel = file.chat?.slack?.approvals;
  const teamsChannel = file.chat?.teams?.approvals;
  return {
    catalog: {
      resources,
      admins,
      responders,
      viewers,
      timezone: file.timezone ?? 'UTC',
      ...(approvalsChannel !== undefined && { approvalsChannel }),
      ...(teamsChannel !== undefined && { teamsChannel }),
    },
    findings,
  };
}

function channelOf(id: string): Pick<Entitlement, 'channel' | 'teamsChannel'> {
  return platformOfChannel(id) === 'teams' ? { teamsChannel: id } : { channel: id };
}

/** Groups are compared as people read them: most directories do not tell upper from lower case. */
function groupKey(directory: string, group: string): string {
  return `${directory}/${group.toLowerCase()}`;
}

function ms(text: string): number {
  const parsed = parseDuration(text);
  if (parsed === undefined) throw new Error('a duration reached the checks that the schema should have refused');
  return parsed;
}

/** A policy with what it inherits, and which policy each key comes from. Undefined: the chain is broken, and reported. */
function inherit(
  policies: Readonly<Record<string, PolicySection>>,
  name: string,
  report: Report,
): { section: PolicySection; from: Readonly<Record<string, string>> } | undefined {
  const chain: string[] = [];
  for (let next: string | undefined = name; next !== undefined; next = own(policies, next)?.extends) {
    if (chain.includes(next)) {
      report(['policies', name, 'extends'], `inherits from itself: ${[...chain, next].join(' → ')}`);
      return undefined;
    }
    if (!Object.hasOwn(policies, next)) {
      // Reported where it is written; the heirs further down only fail along with it.
      if (chain.length === 1) refer(report, ['policies', name, 'extends'], 'policy', next, policies);
      return undefined;
    }
    chain.push(next);
  }
  let section: PolicySection = {};
  const from: Record<string, string> = {};
  for (const ancestor of chain.reverse()) {
    const given = policies[ancestor] ?? {};
    section = whoAnswers(
      section,
      given,
      ancestor === name ? (key, message, instead) => report(['policies', name, key], message, instead) : undefined,
    );
    for (const key of Object.keys(given)) from[key] = ancestor;
    section = {
      ...section,
      ...given,
      // Each of these two holds independent limits, so stating one of them keeps the other.
      ...(section.duration && given.duration && { duration: { ...section.duration, ...given.duration } }),
      ...(section.reason && given.reason && { reason: { ...section.reason, ...given.reason } }),
    };
  }
  return { section, from };
}

/**
 * Stages stand in place of approvers, their number and their ladder, and the other way round: what is stated nearer
 * replaces the other form. In one policy both together would leave open which of them holds.
 */
function whoAnswers(
  inherited: PolicySection,
  given: PolicySection,
  report: ((key: string, message: string, instead?: string) => void) | undefined,
): PolicySection {
  const { approvers, approvals, escalate, stages, ...rest } = inherited;
  const plain = (['approvers', 'approvals', 'escalate'] as const).filter((key) => given[key] !== undefined);
  if (given.stages !== undefined) {
    for (const key of plain) report?.(key, `"${key}" and "stages" cannot stand together`, `${key} inside each stage`);
    return rest;
  }
  if (stages === undefined) return inherited;
  if (given.approvers !== undefined) return rest;
  for (const key of plain)
    report?.(key, `"${key}" has no say over inherited stages`, 'stages of its own, or approvers');
  return inherited;
}

function endWithIncident(
  wanted: boolean | undefined,
  path: Path,
  file: ConfigFile,
  report: Report,
): { endWithIncident?: boolean } {
  if (wanted !== true) return {};
  if (file.incidents === undefined)
    report(path, 'it asks for an incident, and there is no source of incidents', 'a section `incidents`');
  return { endWithIncident: true };
}

/** Oftener than once a minute is noise that nobody reads. */
const REMIND_MIN_MS = 60_000;

function remindEvery(
  text: string | undefined,
  path: Path,
  lapseAfterMs: number,
  report: Report,
  warn: (path: Path, message: string) => void,
): { remindEveryMs?: number } {
  if (text === undefined) return {};
  const remindEveryMs = ms(text);
  if (remindEveryMs < REMIND_MIN_MS) report(path, 'reminding oftener than every minute helps nobody', '5m');
  if (remindEveryMs >= lapseAfterMs && report !== silence) warn(path, 'never reached: the request has lapsed by then');
  return { remindEveryMs };
}

function parsedSubjects(texts: readonly string[]): readonly Subject[] {
  return texts.flatMap((text) => {
    const subject = parseSubject(text);
    return 'wrong' in subject ? [] : [subject];
  });
}

/** Everyone a list can ever stand for, when that is written in the file itself. */
function fixedPeople(subjects: readonly Subject[], file: ConfigFile): ReadonlySet<string> | undefined {
  const people = new Set<string>();
  for (const subject of subjects) {
    const source = subject.kind === 'on-call' ? own(file.onCall ?? {}, subject.source) : undefined;
    if (subject.kind === 'user') people.add(subject.email.toLowerCase());
    else if (source?.type === 'static') for (const email of named(source)) people.add(email.toLowerCase());
    else return undefined;
  }
  return people;
}

type StaticSource = Extract<NonNullable<ConfigFile['onCall']>[string], { readonly type: 'static' }>;

function named({ people, rotation }: StaticSource): readonly string[] {
  return [...(people ?? []), ...(rotation?.people ?? []), ...(rotation?.overrides ?? []).map(({ person }) => person)];
}

/** How many of these there are at one moment: of a rotation one, whoever has the turn. */
function atOnce(subjects: readonly Subject[], file: ConfigFile): number {
  const always = subjects.filter(
    (subject) => subject.kind !== 'on-call' || staticOf(subject.source, file)?.rotation === undefined,
  );
  return (fixedPeople(always, file)?.size ?? 0) + (subjects.length - always.length);
}

function staticOf(name: string, file: ConfigFile): StaticSource | undefined {
  const source = own(file.onCall ?? {}, name);
  return source?.type === 'static' ? source : undefined;
}

function checkApprovers(
  policy: Omit<Policy, 'hash'>,
  file: ConfigFile,
  at: Path,
  report: Report,
  warn: (path: Path, message: string) => void,
): void {
  if (policy.approvers.length === 0) {
    report(at, 'nobody could approve under this policy', 'approvers: [ group:<directory>/<name> ]');
    return;
  }
  const outside = (subject: Subject): boolean =>
    subject.kind === 'on-call' && (own(file.onCall ?? {}, subject.source)?.type ?? 'static') !== 'static';
  const stages = stagesOf({ ...policy, hash: '' });
  const everIn = (stage: Stage): readonly Subject[] => [
    ...stage.approvers,
    ...stage.escalate.flatMap((step) => step.to),
  ];
  if (stages.some((stage) => everIn(stage).every(outside))) {
    report(
      at,
      'all approvers come from outside on-call sources: when those cannot be asked, nobody can approve',
      'a group or user besides them',
    );
    return;
  }
  const countable = stages.map((stage) => ({
    approvals: stage.approvals,
    people: fixedPeople(everIn(stage), file),
    most: atOnce(everIn(stage), file),
  }));
  const [only] = countable;
  if (!canBeFilled(countable)) {
    report(
      at,
      countable.length === 1
        ? `${policy.approvals} approvals are needed, and only ${Math.min(only?.people?.size ?? 0, only?.most ?? 0)} could be given`
        : `${policy.approvals} different people are needed for the stages together, and too few could answer`,
    );
    return;
  }
  const approvers = new Set(countable.flatMap(({ people }) => [...(people ?? [])]));
  const requesters = fixedPeople(policy.requesters, file);
  const stuck = [...(requesters ?? approvers)].filter((email) => !canBeFilled(countable, email));
  if (stuck.length === 0) return;
  if (requesters !== undefined && stuck.length === requesters.size)
    report(at, 'nobody may approve their own request, and besides the requester there are too few approvers');
  else warn(at, `${stuck.join(', ')} could never be approved here, as too few others may approve`);
}
