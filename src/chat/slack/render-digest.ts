/** Reports drawn as Block Kit: the digest, and the answers to who and on-call. Nothing in them is interpreted. */
import type { KnownBlock, RichTextSection } from '@slack/types';
import { type FittedSection, fitted, moreText, type ReportView, reportText } from '../../access/report.ts';
import { cut } from '../../access/words.ts';
import { inert, legible, plain } from './text.ts';

const HEADER_MAX = 150;
const SECTION_MAX = 3000;
/** One line's part. */
const LINE_MAX = 600;
/** Of all lists together. Slack publishes no limit for rich text, and cuts whole messages at 40,000. */
const LISTS_MAX = 11_000;
/** Escaping makes the fallback longer; what does not fit then is cut. */
const FALLBACK_MAX = 3_000;
/** Header, headline, remark and one block for each section stay far below Slack's 50. */
const SECTIONS_MAX = 40;

export function renderReport(report: ReportView): { readonly text: string; readonly blocks: KnownBlock[] } {
  const sections = fitted(report.sections.slice(0, SECTIONS_MAX), LISTS_MAX);
  const left = report.sections.length - sections.length;
  const remarks = [report.note, moreText(left)].filter((remark) => remark !== undefined);
  return {
    text: inert(reportText(report, FALLBACK_MAX)),
    blocks: [
      { type: 'header', text: plain(report.title.replaceAll('\n', ' '), HEADER_MAX) },
      { type: 'section', text: plain(report.headline, SECTION_MAX) },
      ...sections.map(drawn),
      ...(remarks.length === 0
        ? []
        : [{ type: 'context' as const, elements: [plain(remarks.join(' '), SECTION_MAX)] }]),
    ],
  };
}

/** The title, the lines as a list, and how many there are beside them. */
function drawn({ title, lines, note, left }: FittedSection): KnownBlock {
  const items = lines.map(
    ({ lead, rest }): RichTextSection => ({
      type: 'rich_text_section',
      elements: [
        bold(words(lead, LINE_MAX)),
        ...(rest === '' ? [] : [{ type: 'text' as const, text: `: ${words(rest, LINE_MAX)}` }]),
      ],
    }),
  );
  const closing = [moreText(left), note].filter((part) => part !== undefined).join('. ');
  return {
    type: 'rich_text',
    elements: [
      { type: 'rich_text_section', elements: [bold(words(title, HEADER_MAX))] },
      ...(items.length === 0 ? [] : [{ type: 'rich_text_list' as const, style: 'bullet' as const, elements: items }]),
      ...(closing === ''
        ? []
        : [
            {
              type: 'rich_text_section' as const,
              elements: [{ type: 'text' as const, text: words(closing, LINE_MAX * 2) }],
            },
          ]),
    ],
  };
}

function bold(text: string) {
  return { type: 'text' as const, text, style: { bold: true } };
}

function words(value: string, max: number): string {
  const shown = cut(legible(value).replaceAll('\n', ' '), max);
  return shown.trim() === '' ? '–' : shown;
}
