/** Where a list goes on: opaque to whoever calls, and refused where it is none of ours. */
import { ApiProblem } from './problems.ts';

export function cursorOf(place: number): string {
  return Buffer.from(`p${place}`).toString('base64url');
}

/** The place that a cursor stands for; `otherwise` without one. */
export function placeOf(cursor: string | undefined, otherwise: number): number {
  if (cursor === undefined) return otherwise;
  const place = /^p(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  if (place === undefined)
    throw new ApiProblem({
      title: 'This is no cursor of ours.',
      status: 422,
      detail: 'Take `next` from the page before, or leave it out for the first page.',
      code: 'bad_cursor',
    });
  return Number(place);
}
