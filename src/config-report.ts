/** How a check says what it found, and where. */
import { nearest } from './access/catalog.ts';
import type { Path } from './config-positions.ts';

export interface Finding {
  readonly path: Path;
  readonly message: string;
  readonly instead?: string;
  /** Said, but nothing to refuse the file for. */
  readonly warning?: true;
}

export type Report = (path: Path, message: string, instead?: string) => void;

export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Says so when something names what there is not. */
export function refer(
  report: Report,
  path: Path,
  what: string,
  wanted: string,
  known: Readonly<Record<string, unknown>>,
): void {
  if (Object.hasOwn(known, wanted)) return;
  const names = Object.keys(known);
  const near = nearest(wanted.toLowerCase(), names);
  report(
    path,
    `there is no ${what} "${wanted}"`,
    near.length > 0 ? near.join(' or ') : names.length > 0 ? `one of ${names.join(', ')}` : undefined,
  );
}
