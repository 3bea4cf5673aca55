/**
 * The trail for others to read: as JSON lines (complete, and verifiable without the database), as CSV for a spreadsheet,
 * or as OCSF for a SIEM. One event, one line, in the order of the chain.
 */
import { csvLine } from '../access/csv.ts';
import { actorName } from '../access/decision.ts';
import type { TrailEvent } from '../access/ports.ts';
import { ocsfOf } from './ocsf.ts';

export const EXPORT_FORMATS = ['jsonl', 'csv', 'ocsf'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Said before the first line; '' where the format has no head. */
export function exportHead(format: ExportFormat): string {
  return format === 'csv' ? csvLine(CSV_COLUMNS) : '';
}

export function exportLine(format: ExportFormat, link: TrailEvent): string {
  switch (format) {
    case 'jsonl':
      return `${JSON.stringify(jsonOf(link))}\n`;
    case 'csv':
      return csvLine(csvOf(link));
    case 'ocsf':
      return `${JSON.stringify(ocsfOf(link))}\n`;
  }
}

/** With `canonical` and the hashes, so that the export can be verified on its own. */
function jsonOf({ seq, prevHash, hash, canonical, event }: TrailEvent): object {
  return { seq, ...event, at: new Date(event.at).toISOString(), prevHash, hash, canonical };
}

const CSV_COLUMNS = [
  'seq',
  'at',
  'kind',
  'actor_kind',
  'actor',
  'request',
  'grant',
  'directory',
  'group_id',
  'user_id',
  'detail',
  'texts',
  'hash',
] as const;

function csvOf({ seq, hash, event }: TrailEvent): readonly string[] {
  const { membership } = event;
  return [
    String(seq),
    new Date(event.at).toISOString(),
    event.kind,
    event.actor.kind,
    actorName(event.actor),
    event.requestId ?? '',
    event.grantId ?? '',
    membership?.directory ?? '',
    membership?.groupId ?? '',
    membership?.userId ?? '',
    JSON.stringify(event.detail),
    JSON.stringify(event.personal ?? {}),
    hash,
  ];
}
