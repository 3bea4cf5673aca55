/**
 * What is read rather than acted on: a title, one sentence that says the most important thing, and lists of which only
 * the beginning may fit. Every text is raw; whoever renders it escapes it.
 */

export interface ReportLine {
  /** Whom or what it is about. */
  readonly lead: string;
  /** May be empty. */
  readonly rest: string;
}

export interface ReportSection {
  readonly title: string;
  readonly lines: readonly ReportLine[];
  /** How many there are, when that is more than `lines`. */
  readonly total?: number;
  /** Said after the lines. */
  readonly note?: string;
}

export interface ReportView {
  readonly title: string;
  readonly headline: string;
  readonly severity: 'calm' | 'warning';
  /** A remark on the whole, such as the time it covers. */
  readonly note?: string;
  readonly sections: readonly ReportSection[];
}

/** As much of a section as fits, and how many lines of it do not. */
export interface FittedSection extends ReportSection {
  readonly left: number;
}

/** However short the room is, each section says this much. */
const LINES_MIN = 3;
/** What a line costs beside its text: a bullet, a colon, a line end. */
const LINE_EXTRA = 4;

/** Of every section the first lines; then, in order, as many more as `budget` characters allow. */
export function fitted(sections: readonly ReportSection[], budget: number): readonly FittedSection[] {
  const cost = (line: ReportLine) => line.lead.length + line.rest.length + LINE_EXTRA;
  const sum = (lines: readonly ReportLine[]) => lines.reduce((total, line) => total + cost(line), 0);
  let room = budget;
  for (const section of sections)
    room -= section.title.length + (section.note?.length ?? 0) + 20 + sum(section.lines.slice(0, LINES_MIN));
  return sections.map((section) => {
    let shown = Math.min(LINES_MIN, section.lines.length);
    for (const line of section.lines.slice(LINES_MIN)) {
      room -= cost(line);
      if (room < 0) break;
      shown++;
    }
    const total = Math.max(section.total ?? 0, section.lines.length);
    return { ...section, lines: section.lines.slice(0, shown), left: total - shown };
  });
}

/** `and 4,960 more`; nothing when nothing is left. */
export function moreText(left: number): string | undefined {
  return left > 0 ? `and ${countText(left)} more` : undefined;
}

export function countText(count: number): string {
  return count.toLocaleString('en-GB');
}

/** The whole as plain text, for a notification and for reading aloud; about `budget` characters at most. */
export function reportText(report: ReportView, budget: number): string {
  const head = [`${report.title}.`, report.headline, ...(report.note === undefined ? [] : [report.note])].join(' ');
  const parts = fitted(report.sections, budget - head.length).map(({ title, lines, note, left }) => {
    const said = [...lines.map(lineText), moreText(left), note].filter((part) => part !== undefined);
    return `${title}: ${said.join('; ')}`;
  });
  return [head, ...parts].join('\n');
}

export function lineText({ lead, rest }: ReportLine): string {
  return rest === '' ? lead : `${lead}: ${rest}`;
}
