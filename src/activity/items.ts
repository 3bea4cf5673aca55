/** One activity as it is sent: in our own plain form, or as an OCSF event. Every field is input, and is cut to size. */
import { z } from 'zod';
import { ACTIVITY_KINDS, type Activity, type ActivityKind } from '../access/activity.ts';
import { ocsfActivity } from './ocsf.ts';

export type Item = { readonly activity: Activity } | { readonly wrong: string; readonly uid?: string };

const UID_MAX = 200;
const ACCOUNT_MAX = 320;
const WORD_MAX = 200;
const TEXT_MAX = 500;
/** Beyond this a number is nobody's count. */
const AMOUNT_MAX = 1e12;

const uid = z.string().min(1).max(UID_MAX);
const cutTo = (max: number) => z.string().transform((text) => cutPoints(text, max));
const word = cutTo(WORD_MAX).optional();

const plain = z.object({
  id: uid,
  at: z.union([z.number(), z.string().max(40)]),
  account: z.string().min(1).max(ACCOUNT_MAX),
  action: z
    .string()
    .min(1)
    .transform((text) => cutPoints(text, WORD_MAX)),
  kind: z.enum(ACTIVITY_KINDS).optional(),
  outcome: z.enum(['success', 'failure']).optional(),
  resource: word,
  target: cutTo(TEXT_MAX).optional(),
  ip: word,
  country: word,
  device: word,
  amount: z.number().min(0).max(AMOUNT_MAX).optional(),
});

/** Never throws. `wrong` says what, in words for whoever sends it. */
export function readItem(source: string, value: unknown): Item {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { wrong: 'not an object' };
  if ('class_uid' in value) return ocsfActivity(source, value, built);
  const read = plain.safeParse(value, { reportInput: false });
  if (!read.success) {
    const [issue] = read.error.issues;
    const known = uid.safeParse('id' in value ? value.id : undefined);
    const path = issue?.path.map(String).join('.') ?? '';
    return {
      wrong: `${path === '' ? '' : `${path}: `}${issue?.message.replace(/^Invalid input: /, '') ?? 'not understood'}`,
      ...(known.success ? { uid: known.data } : {}),
    };
  }
  const { id, at, ...rest } = read.data;
  return built({ source, uid: id, at, ...rest });
}

export interface Raw {
  readonly source: string;
  readonly uid: string;
  readonly at: string | number;
  readonly account: string;
  readonly action: string;
  readonly kind?: ActivityKind | undefined;
  readonly outcome?: 'success' | 'failure' | undefined;
  readonly resource?: string | undefined;
  readonly target?: string | undefined;
  readonly ip?: string | undefined;
  readonly country?: string | undefined;
  readonly device?: string | undefined;
  readonly amount?: number | undefined;
}

function built(raw: Raw): Item {
  const at = instantOf(raw.at);
  if (at === undefined) return { wrong: 'at: neither milliseconds since 1970 nor a time with its zone', uid: raw.uid };
  return {
    activity: {
      source: raw.source,
      uid: raw.uid,
      at,
      action: raw.action,
      kind: raw.kind ?? 'other',
      account: raw.account.trim(),
      outcome: raw.outcome ?? 'success',
      resource: raw.resource ?? '',
      target: raw.target ?? '',
      ip: raw.ip ?? '',
      country: raw.country ?? '',
      device: raw.device ?? '',
      amount: Math.trunc(raw.amount ?? 0),
    },
  };
}

/** Between 2000 and 2100: seconds taken for milliseconds would otherwise be a time in 1970. */
const EARLIEST = Date.UTC(2000, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);

function instantOf(at: string | number): number | undefined {
  const ms =
    typeof at === 'number'
      ? at
      : /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(at)
        ? Date.parse(at)
        : Number.NaN;
  return ms >= EARLIEST && ms < LATEST ? Math.trunc(ms) : undefined;
}

/** By code points, so that no character is cut in half. */
export function cutPoints(text: string, max: number): string {
  if (text.length <= max) return text;
  const points = [...text.slice(0, max * 2)];
  return points.length <= max ? points.join('') : `${points.slice(0, max - 1).join('')}…`;
}
