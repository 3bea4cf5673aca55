/** A finding as it is shown: what a rule flagged in whose grant, what its holder says, and what became of it. */
import type { Activity, Finding } from './activity.ts';
import type { Grant, Instant } from './model.ts';
import { cut, timeText } from './words.ts';

export interface FindingView {
  readonly id: string;
  readonly grantId: string;
  readonly level: Finding['level'];
  readonly title: string;
  readonly headline: string;
  /** What it is about, a line each. */
  readonly lines: readonly string[];
  /** What was done, a line each; the first few. */
  readonly examples: readonly string[];
  /** What can be done about it. */
  readonly can: {
    readonly ask: boolean;
    readonly revoke: boolean;
    readonly dismiss: boolean;
    readonly answer: boolean;
  };
}

/** `holder`: the one who is asked about it. */
export type FindingAudience = 'security' | 'holder';

const NAME_MAX = 80;
const TEXT_MAX = 500;
const WORD_MAX = 120;

/** `grant`: as it is now; absent when it cannot be read any more. */
export function findingView(
  finding: Finding,
  grant: Pick<Grant, 'state' | 'endedAt'> | undefined,
  audience: FindingAudience,
  now: Instant,
  zone: string,
): FindingView {
  const { state } = finding;
  const time = (at: Instant) => timeText(at, now, zone);
  const over = state === 'dismissed' || state === 'revoked';
  const live = grant !== undefined && (grant.state === 'adding' || grant.state === 'active');
  const name = cut(finding.holderName, NAME_MAX);
  const examples = finding.examples.map((one) => exampleText(one, time));
  const left = finding.count - examples.length;
  return {
    id: finding.id,
    grantId: finding.grantId,
    level: finding.level,
    title:
      audience === 'holder'
        ? `Security asks about your access to ${finding.entitlement}`
        : `Finding ${finding.id} (${finding.level}): ${cut(finding.title, 100)}`,
    headline: headlineOf(finding, audience, time),
    lines: [
      audience === 'holder'
        ? `What was seen: ${cut(finding.title, 100)}, under your grant ${finding.grantId}.`
        : `${name}, ${finding.entitlement}, ${finding.grantId}${live ? '' : ', which is over'}.`,
      ...(finding.count === 0 ? [] : [countText(finding, time)]),
      ...(finding.explanation === undefined
        ? []
        : [`${audience === 'holder' ? 'You said' : `${name} says`}: “${cut(finding.explanation, TEXT_MAX)}”`]),
    ],
    examples: [...examples, ...(left > 0 && examples.length > 0 ? [`and ${left} more`] : [])],
    can: {
      ask: audience === 'security' && state === 'open',
      revoke: audience === 'security' && !over && live,
      dismiss: audience === 'security' && !over,
      answer: audience === 'holder' && !over && state !== 'open',
    },
  };
}

function headlineOf(finding: Finding, audience: FindingAudience, time: (at: Instant) => string): string {
  const name = cut(finding.holderName, NAME_MAX);
  const by = cut(finding.closedBy ?? '', NAME_MAX);
  const closed = finding.closedAt === undefined ? '' : ` ${time(finding.closedAt)}`;
  const asked = cut(finding.askedBy ?? '', NAME_MAX);
  switch (finding.state) {
    case 'open':
      return 'Nobody has looked at it yet: ask the holder, revoke, or dismiss it with a reason.';
    case 'asked':
      return audience === 'holder'
        ? `${asked} wants to know what this was for. Your answer goes to security and into the audit trail.`
        : `${asked} asked ${name}${finding.askedAt === undefined ? '' : ` ${time(finding.askedAt)}`}; no answer yet.`;
    case 'explained':
      return audience === 'holder'
        ? 'Your answer is with security. You can answer again.'
        : `${name} has answered${finding.explainedAt === undefined ? '' : ` ${time(finding.explainedAt)}`}: revoke, or dismiss it with a reason.`;
    case 'dismissed':
      return `Dismissed by ${by}${closed}: “${cut(finding.note ?? '', TEXT_MAX)}”.`;
    case 'revoked':
      return `Access revoked by ${by}${closed}.`;
  }
}

function countText({ count, firstAt, lastAt }: Finding, time: (at: Instant) => string): string {
  if (count === 1) return `Once, ${time(firstAt)}.`;
  return `${count} times, from ${time(firstAt)} to ${time(lastAt)}.`;
}

/** `14:05 SELECT on orders, customers, 12,000 rows, from DE 192.0.2.7, as ana_ro (bastion)` */
function exampleText(one: Activity, time: (at: Instant) => string): string {
  const on = [one.resource, one.target].filter((text) => text !== '').map((text) => cut(text, WORD_MAX));
  const from = [one.country, one.ip].filter((text) => text !== '').map((text) => cut(text, 45));
  return [
    `${time(one.at)} ${cut(one.action, WORD_MAX)}${on.length === 0 ? '' : ` on ${on.join(', ')}`}`,
    ...(one.outcome === 'failure' ? ['failed'] : []),
    ...(one.amount > 0 ? [`amount ${one.amount.toLocaleString('en-GB')}`] : []),
    ...(from.length === 0 ? [] : [`from ${from.join(' ')}`]),
    `as ${cut(one.account, WORD_MAX)} (${one.source})`,
  ].join(', ');
}
