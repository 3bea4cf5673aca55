/** Where a list goes on: opaque to whoever calls, and refused where it is none of ours. */
import type { Instant, RequestId } from '../access/model.ts';
import { ApiProblem } from './problems.ts';

export interface RequestPlace {
  readonly createdAt: Instant;
  readonly id: RequestId;
}

/** After this request, in a list with the newest first. */
export function cursorOf({ createdAt, id }: RequestPlace): string {
  return encoded(`r${createdAt} ${id}`);
}

export function placeOf(cursor: string): RequestPlace {
  const [, createdAt, id] = /^r(\d{1,15}) (R-[0-9A-Z]{4,6})$/.exec(decoded(cursor)) ?? [];
  if (createdAt === undefined || id === undefined) throw badCursor();
  return { createdAt: Number(createdAt), id };
}

/** After this place of the trail. */
export function seqCursor(seq: number): string {
  return encoded(`s${seq}`);
}

export function seqOf(cursor: string): number {
  const seq = /^s(\d{1,15})$/.exec(decoded(cursor))?.[1];
  if (seq === undefined) throw badCursor();
  return Number(seq);
}

const encoded = (place: string) => Buffer.from(place).toString('base64url');
const decoded = (cursor: string) => Buffer.from(cursor, 'base64url').toString();

function badCursor(): ApiProblem {
  return new ApiProblem({
    title: 'This is no cursor of ours.',
    status: 422,
    detail: 'Take `next` from the page before, or leave it out for the first page.',
    code: 'bad_cursor',
  });
}
