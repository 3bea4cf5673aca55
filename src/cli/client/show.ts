/** What the API answered, for people: a sentence, or a table as wide as what is in it. */
import type { AccessRequest, Outcome, Problem } from '../../api/schemas.ts';
import { EXIT, type Out } from '../out.ts';
import { ClientError } from './http.ts';

const DID: Readonly<Record<Outcome['did'], string>> = {
  requested: 'Requested.',
  extension_requested: 'More time requested.',
  approval_recorded: 'Your approval is recorded.',
  approved: 'Approved.',
  denied: 'Denied.',
  cancelled: 'Cancelled.',
  returned: 'Returned.',
  revoked: 'Revoked.',
  adopted: 'Made permanent.',
};

export function sayOutcome(io: Out, outcome: Outcome): number {
  io.say({ ok: true, ...outcome }, outcomeLines(outcome));
  return EXIT.done;
}

export function outcomeLines({ did, request, asked }: Outcome): readonly string[] {
  return [
    `${DID[did]} ${request.id}: ${plain(request.headline)}`,
    ...(asked === undefined || asked.length === 0 ? [] : [`Asked: ${asked.map(plain).join(', ')}.`]),
  ];
}

export function requestLines(request: AccessRequest): readonly string[] {
  return [
    `${request.id}: ${plain(request.requester.name)}, ${request.entitlement}. ${plain(request.headline)}`,
    `Why: ${plain(request.reason) || 'no reason given'}`,
    ...(request.notes ?? []).map(plain),
  ];
}

/** Says why not; the exit code. */
/** `besides`: what holds all the same. */
export function sayError(io: Out, error: unknown, besides?: string): number {
  if (!(error instanceof ClientError)) throw error;
  const { problem, status } = error;
  io.say(
    { ok: false, error: error.message, status, ...(problem === undefined ? {} : { code: problem.code, problem }) },
    [...errorLines(error.message, problem), ...(besides === undefined ? [] : [besides])],
  );
  return EXIT.failed;
}

export function errorLines(message: string, problem: Problem | undefined): readonly string[] {
  return [
    plain(problem?.title ?? message),
    ...(problem === undefined ? [] : [plain(problem.detail)]),
    ...(problem?.link === undefined ? [] : [`Open ${problem.link}`]),
    ...(problem?.errors ?? []).map((one) => `  ${plain(one.path)}: ${plain(one.message)}`),
  ];
}

const COLUMN_MAX = 44;

/** Columns of plain text, the last as wide as it is. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const cells = [heads, ...rows.map((row) => row.map(plain))];
  const last = heads.length - 1;
  const widths = heads.map((_, i) => Math.min(COLUMN_MAX, Math.max(...cells.map((row) => width(row[i] ?? '')))));
  return cells.map((row) =>
    row
      .map((cell, i) => (i === last ? cell : fitted(cell, widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

function width(text: string): number {
  return [...text].length;
}

function fitted(text: string, to: number): string {
  const points = [...text];
  return points.length > to ? `${points.slice(0, to - 1).join('')}…` : text + ' '.repeat(to - points.length);
}

/** A terminal obeys what it prints: nothing that steers it is left of what people wrote. */
export function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

/** `14:32`, or with its day when that is not today; in this machine's zone. */
export function timeOf(iso: string, now: number): string {
  const at = new Date(iso);
  const time = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  const today = at.toDateString() === new Date(now).toDateString();
  return today ? time : `${at.toLocaleDateString('en-CA')} ${time}`;
}
