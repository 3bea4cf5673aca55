/**
 * The story of one request in plain words, one line for each event of the trail: what was asked, answered, done in the
 * directory, and why it ended. Nothing is left out; what has no words of its own is told by its name.
 */
import { actorName } from './decision.ts';
import type { AuditEvent, Instant, Json, PinnedGroup } from './model.ts';
import { cut, durationText, listed, timeText } from './words.ts';

export interface StoryLine {
  readonly at: Instant;
  readonly who: string;
  readonly what: string;
  readonly kind: string;
}

const TEXT_MAX = 400;

/**
 * As far as it is told to those who do not look into it: nobody learns from the story of a request that somebody does.
 * Its holder hears of a finding when security asks.
 */
export function withoutFindings(events: readonly AuditEvent[]): readonly AuditEvent[] {
  return events.filter(({ kind }) => !kind.startsWith('finding.'));
}

/** `groups` names the request's groups, of which an event holds only the ids. */
export function storyOf(
  events: readonly AuditEvent[],
  groups: readonly PinnedGroup[],
  zone: string,
): readonly StoryLine[] {
  return events.map((event) => ({
    at: event.at,
    who: actorName(event.actor),
    what: cut(SAID[event.kind]?.(named(event, groups), zone) ?? byName(event), TEXT_MAX),
    kind: event.kind,
  }));
}

function named(event: AuditEvent, groups: readonly PinnedGroup[]): AuditEvent {
  const key = event.membership;
  const known = groups.find((one) => one.directory === key?.directory && one.groupId === key.groupId);
  return known === undefined ? event : { ...event, detail: { ...event.detail, group: known.groupName } };
}

/** `Tue 10 Mar 14:32:07 CET  Ana Sousa  asked for db-prod:read for 30 min: fix stuck migration` */
export function storyText({ at, who, what }: StoryLine, zone: string): string {
  return `${timeText(at, undefined, zone)}  ${who}  ${what}`;
}

/** Sentences whose subject is whoever did it. */
const SAID: Readonly<Record<string, (event: AuditEvent, zone: string) => string>> = {
  'request.made': (event) => `asked for ${of(event, 'entitlement')}${lasting(event)}${because(event)}`,
  'extension.requested': (event) => `asked to keep ${event.grantId ?? 'it'}${lasting(event)} longer${because(event)}`,
  'request.refused': (event) => `was refused ${of(event, 'entitlement')}: ${of(event, 'code')}${because(event)}`,
  'request.shown_again': () => 'was shown the request anew: the policy or the groups had changed since',
  'request.asked': (event) => `asked ${counted(event, 'asked', 'person', 'people')} to answer${unasked(event)}`,
  'request.escalated': (event) =>
    `asked ${many(event, 'to')} too: ${of(event, 'why') === 'nobody_answered' ? 'nobody had answered' : 'there was nobody else to ask'}`,
  'request.reminded': (event) =>
    `reminded ${counted(event, 'asked', 'person', 'people')} (number ${of(event, 'number')})`,
  'request.approved': () => 'completed the approvals',
  'request.denied': (event) => `denied the request${because(event)}`,
  'request.cancelled': () => 'took the request back',
  'request.lapsed': () => 'nobody had approved it in time, so it lapsed',
  'request.withdrawn': (event) => `withdrew the request${because(event)}`,
  'approval.given': (event) => `approved (number ${of(event, 'number')})`,
  'approval.refused': (event) => `tried to answer and may not: ${of(event, 'code')}`,
  'revocation.refused': (event) => `tried to revoke and may not: ${of(event, 'code')}`,
  'grant.started': (event, zone) => `the time runs, until ${time(event, 'expiresAt', zone)}`,
  'grant.activated': (event) =>
    event.detail.partial === true ? 'the access is in place, in part' : 'the access is in place',
  'grant.extension_approved': (event, zone) =>
    `completed the approvals for more time, until ${time(event, 'to', zone)}: the directory moves its own end first`,
  'grant.extended': (event, zone) => `the end is moved to ${time(event, 'to', zone)}`,
  'grant.incident_closed': (event, zone) => `saw its incident closed: the access ends ${time(event, 'to', zone)}`,
  'grant.warned': (event, zone) => `told the holder that it ends ${time(event, 'endsAt', zone)}`,
  'grant.expired': () => 'the time is over',
  'grant.revoked': (event) => `revoked the access${because(event)}`,
  'grant.returned': () => 'gave the access back',
  'grant.abandoned': (event) => `gave it up: it could not be added${because(event)}`,
  'grant.removed_outside': (event) => `somebody else had taken the membership away${because(event)}`,
  'grant.signed_out': (event) => `ended the sessions that ${of(event, 'directory')} had given the holder`,
  'grant.sign_out_failed': (event) => `could not end the sessions in ${of(event, 'directory')}: ${of(event, 'error')}`,
  'grant.ended': () => 'over: every membership is proven gone, or held by another grant',
  'membership.addition_started': (event) => `adding to ${membership(event)}`,
  'membership.added': (event) => `the directory accepted the addition to ${membership(event)}`,
  'membership.addition_unknown': (event) => `the answer was lost: perhaps added to ${membership(event)}`,
  'membership.addition_failed': (event) => `the addition to ${membership(event)} failed: ${of(event, 'error')}`,
  'membership.addition_refused': (event) =>
    `the directory refused the addition to ${membership(event)}: ${of(event, 'error')}`,
  'membership.seen': (event) => `read back: a member of ${membership(event)}`,
  'membership.seen_absent': (event) => `read back: not a member of ${membership(event)}`,
  'membership.baseline_found': (event) => `was a member of ${membership(event)} before, so that is never removed`,
  'membership.baseline_gone': (event) => `is no longer a permanent member of ${membership(event)}`,
  'membership.removal_started': (event) => `removing from ${membership(event)}`,
  'membership.removed': (event) => `the directory accepted the removal from ${membership(event)}`,
  'membership.removal_failed': (event) => `the removal from ${membership(event)} failed: ${of(event, 'error')}`,
  'membership.read_failed': (event) => `${membership(event)} could not be read: ${of(event, 'error')}`,
  'membership.adopted': (event) => `made ${membership(event)} permanent${because(event)}`,
  'membership.resolved': (event) => `closed ${membership(event)} by hand (${of(event, 'ruling')})${because(event)}`,
  'membership.native_expiry_started': (event, zone) =>
    event.detail.expiresAt === null
      ? `having the directory no longer end ${membership(event)} by itself`
      : `having the directory end ${membership(event)} by itself ${time(event, 'expiresAt', zone)}`,
  'membership.native_expiry_set': (event, zone) =>
    `the directory ends ${membership(event)} by itself ${time(event, 'expiresAt', zone)}, should Hallpass be gone`,
  'membership.native_expiry_lifted': (event) => `the directory no longer ends ${membership(event)} by itself`,
  'membership.native_expiry_unavailable': (event) =>
    `the directory does not end ${membership(event)} by itself: its edition has no such thing`,
  'membership.native_expiry_failed': (event) =>
    `the directory could not be told when to end ${membership(event)} by itself: ${of(event, 'error')}`,
  'break_glass.used': (event) => `used break-glass for ${of(event, 'entitlement')}${lasting(event)}${because(event)}`,
  'freeze.made': (event) => `froze ${because(event).slice(2) || of(event, 'scope')}`,
  'freeze.lifted': (event) => `lifted the freeze of ${because(event).slice(2) || of(event, 'scope')}`,
  'review.opened': (event, zone) => `asked ${many(event, 'reviewers')} to review it, by ${time(event, 'dueAt', zone)}`,
  'review.reminded': (event) => `said again that its review is overdue (number ${of(event, 'number')})`,
  'review.signed_off': (event) => `signed the review off${because(event)}`,
  'review.questioned': (event) => `questioned what was done${because(event)}`,
  'digest.signed_off': (event) => `signed the digest of ${of(event, 'day')}${because(event)}`,
  'session.began': (event, zone) =>
    event.detail.kind === 'token'
      ? `made the token ${of(event, 'session')} for ${of(event, 'person')}, until ${time(event, 'expiresAt', zone)}${because(event)}`
      : `signed in (${of(event, 'kind')}), until ${time(event, 'expiresAt', zone)}`,
  'session.ended': (event) => `ended a session (${of(event, 'kind')})`,
  'proof.asked': (event, zone) =>
    `has to confirm with MFA${proving(event)}, by ${time(event, 'expiresAt', zone)}: nothing is done until then`,
  'proof.given': (event) => `confirmed with MFA${proving(event)} (${howStrong(event)})`,
  'proof.failed': (event) => `no proof${proving(event)}: ${lacking(event)}`,
  'config.loaded': (event) =>
    `read the configuration (${of(event, 'how')}, sha256 ${of(event, 'fileHash').slice(0, 12)}…)`,
  'device.confirmed': (event) => `confirmed a command line that asked from ${of(event, 'from')}${because(event)}`,
  'device.denied': (event) => `denied a command line that asked from ${of(event, 'from')}${because(event)}`,
  'trail.exported': (event) => `took what was found in the trail as a file (${of(event, 'format')})${because(event)}`,
  'finding.opened': (event) => `found (${of(event, 'level')}): ${of(event, 'title')}, ${of(event, 'finding')}`,
  'finding.asked': (event) => `asked the holder about ${of(event, 'finding')}`,
  'finding.explained': (event) => `answered for ${of(event, 'finding')}${because(event)}`,
  'finding.dismissed': (event) => `dismissed ${of(event, 'finding')}${because(event)}`,
  'finding.revoked': (event) => `closed ${of(event, 'finding')} by revoking the access`,
  'finding.refused': (event) =>
    `tried to ${of(event, 'asked')} ${of(event, 'finding')} and may not: ${of(event, 'code')}`,
  'membership.proven_absent': (event) => `read back: gone from ${membership(event)}, proven`,
};

/** `policy.changed (from: 1a2b, to: 3c4d): because`: true and complete, if not pretty. */
function byName(event: AuditEvent): string {
  const details = Object.entries(event.detail).flatMap(([name, value]) =>
    typeof value === 'object' ? [] : [`${name}: ${String(value)}`],
  );
  return `${event.kind}${details.length === 0 ? '' : ` (${details.join(', ')})`}${because(event)}`;
}

const PROVEN: Readonly<Record<string, string>> = {
  request: 'the request',
  extend: 'asking for more time',
  break_glass: 'break-glass',
  approve: 'the approval',
  link: 'whose account it is',
};

function proving({ detail }: AuditEvent): string {
  const purpose = PROVEN[String(detail.purpose)];
  return purpose === undefined ? '' : ` for ${purpose}`;
}

/** As the issuer said it: `urn:okta:loa:2fa:any; pwd, otp`. */
function howStrong({ detail: { acr, amr } }: AuditEvent): string {
  const said = [acr, Array.isArray(amr) ? amr.join(', ') : ''].filter((one) => typeof one === 'string' && one !== '');
  return said.length === 0 ? 'the issuer named no class or method' : said.join('; ');
}

const NO_PROOF: Readonly<Record<string, string>> = {
  expired: 'nobody had confirmed it in time',
  wrong_person: 'somebody else signed in',
  superseded: 'it was asked for anew',
};

function lacking(event: AuditEvent): string {
  const why = of(event, 'why');
  return why === 'too_weak' ? `the sign-in does not count, ${of(event, 'lacks')}` : (NO_PROOF[why] ?? why);
}

function of({ detail }: AuditEvent, name: string): string {
  const value: Json | undefined = detail[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '?';
}

function texts({ detail }: AuditEvent, name: string): readonly string[] {
  const value: Json | undefined = detail[name];
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function many(event: AuditEvent, name: string): string {
  const named = texts(event, name);
  return named.length === 0 ? 'nobody' : listed(named);
}

/** Of people an event holds ids, which tell a reader nothing. */
function counted(event: AuditEvent, name: string, one: string, more: string): string {
  const count = texts(event, name).length;
  return `${count} ${count === 1 ? one : more}`;
}

function unasked(event: AuditEvent): string {
  const failed = texts(event, 'failed');
  return failed.length === 0 ? '' : `; ${listed(failed)} could not be asked who they are`;
}

function because({ personal }: AuditEvent): string {
  const texts = Object.values(personal ?? {}).filter((text) => text !== '');
  return texts.length === 0 ? '' : `: ${listed(texts.map((text) => cut(text, 300)))}`;
}

function lasting({ detail }: AuditEvent): string {
  return typeof detail.durationMs === 'number' ? ` for ${durationText(detail.durationMs)}` : '';
}

function time({ detail }: AuditEvent, name: string, zone: string): string {
  const at = detail[name];
  return typeof at === 'number' ? timeText(at, undefined, zone) : 'an unknown time';
}

function membership(event: AuditEvent): string {
  const named = event.detail.group;
  const key = event.membership;
  if (key === undefined) return 'the group';
  return `${typeof named === 'string' ? named : key.groupId} in ${key.directory}`;
}
