/** Who holds what, and who is on call: the answers to questions that change nothing. */
import type { Instant, Person, Subject } from './model.ts';
import { subjectName } from './policy.ts';
import type { GroupStanding, RequestRecord } from './ports.ts';
import { countText, type ReportSection, type ReportView } from './report.ts';
import { frozenSection, holderLine, standingSection } from './report-lines.ts';
import { cut, listed, timeText } from './words.ts';

export interface WhoMaterial {
  /** As asked: `db-prod`, or `db-prod:read`. */
  readonly what: string;
  readonly title: string;
  /** Newest first, one more than is shown when there are more. */
  readonly records: readonly RequestRecord[];
  readonly shown: number;
  /** Only the asker's own, since they may not see others'. */
  readonly ownOnly: boolean;
  /** A line for each freeze of it. */
  readonly frozen?: readonly string[];
  /** Absent: not asked. */
  readonly standing?: readonly GroupStanding[];
  readonly zone: string;
}

export function whoView(material: WhoMaterial, now: Instant): ReportView {
  const { what, title, ownOnly, standing, zone } = material;
  const records = material.records.slice(0, material.shown);
  const more = material.records.length > records.length;
  const time = (at: Instant) => timeText(at, now, zone);
  // Over, but not proven gone: perhaps still a member.
  const leaving = records.filter(({ grant }) => grant?.state === 'ending').length;
  const holding = records.length - leaving;
  const headline = ownOnly
    ? 'Your own access; you may not see other people’s.'
    : [
        more
          ? `More than ${countText(holding)} hold it through Hallpass now.`
          : holding === 0
            ? 'Nobody holds it through Hallpass now.'
            : `${countText(holding)} ${holding === 1 ? 'person holds' : 'people hold'} it through Hallpass now.`,
        ...(leaving === 0 ? [] : [`${countText(leaving)} being removed.`]),
      ].join(' ');
  const members = standing === undefined ? undefined : standingSection(standing);
  return {
    title: title === what ? `Who holds ${what}` : `Who holds ${cut(title, 80)} (${what})`,
    headline,
    severity: 'calm',
    note: `As of ${timeText(now, undefined, zone)}.`,
    sections: [
      ...frozenSection(material.frozen),
      ...(records.length === 0
        ? []
        : [
            {
              title: 'With a grant',
              lines: records.map((record) => holderLine(record, time, true)),
              ...(more ? { note: 'There are more. Name the role to see fewer.' } : {}),
            },
          ]),
      ...(members === undefined ? [] : [members]),
    ],
  };
}

export interface OnCallMaterial {
  /** Absent: all sources were asked for. */
  readonly resource?: string;
  readonly sources: readonly {
    readonly source: string;
    readonly people?: readonly Person[];
    readonly error?: string;
  }[];
  /** Who else may approve, besides those on call. */
  readonly others: readonly Subject[];
  readonly frozen?: readonly string[];
  readonly zone: string;
}

export function onCallView(material: OnCallMaterial, now: Instant): ReportView {
  const { resource, sources, others, zone } = material;
  const silent = sources.filter((source) => source.people === undefined).length;
  return {
    title: resource === undefined ? 'Who is on call' : `Who is on call for ${resource}`,
    headline:
      sources.length === 0
        ? resource === undefined
          ? 'No policy asks anybody on call.'
          : 'Nobody on call approves it.'
        : silent === 0
          ? `${countText(sources.length)} on-call ${sources.length === 1 ? 'source' : 'sources'}.`
          : `${countText(silent)} of ${countText(sources.length)} on-call sources could not be asked.`,
    severity: silent > 0 ? 'warning' : 'calm',
    note: `As of ${timeText(now, undefined, zone)}.${
      others.length === 0 ? '' : ` May approve as well: ${listed(others.map(subjectName))}.`
    }`,
    sections: [...frozenSection(material.frozen), ...sources.map(sourceSection)],
  };
}

function sourceSection({ source, people, error }: OnCallMaterial['sources'][number]): ReportSection {
  return {
    title: source,
    lines:
      people === undefined
        ? [{ lead: 'Could not be asked', rest: cut(error ?? 'no answer', 200) }]
        : people.length === 0
          ? [{ lead: 'Nobody', rest: '' }]
          : people.slice(0, 20).map(({ name, email }) => ({ lead: cut(name, 80), rest: cut(email, 120) })),
    ...(people === undefined ? {} : { total: Math.max(1, people.length) }),
  };
}
