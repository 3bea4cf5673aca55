/** What every directory's section says of drift: the same keys, whatever kind of directory it is. */
import { z } from 'zod';
import { parseDuration } from '../access/grammar.ts';
import type { DriftRules } from '../access/reconcile.ts';

export const driftKeys = {
  observe: z
    .boolean()
    .describe(
      'true: reconciliation says what it would remove, and removes and adopts nothing. Grants still begin and end. Default false.',
    )
    .optional(),
  drift: z
    .strictObject({
      unknownMember: z
        .enum(['tell', 'adopt', 'remove'])
        .describe(
          'Somebody in a group marked `exclusive` whom no grant explains: tell security, take them for permanent, or remove them. Default tell.',
        )
        .optional(),
      removeAfter: z
        .string()
        .refine((value) => parseDuration(value) !== undefined, 'must be a duration such as 45s, 30m, 1h30m or 2d')
        .describe('With `unknownMember: remove`: how long after it was found. Left out: at once.')
        .optional(),
      missingMember: z
        .enum(['tell', 'end'])
        .describe(
          'The membership of a live grant that is not there: tell security, or look again and end the grant. Default tell.',
        )
        .optional(),
    })
    .refine((drift) => drift.removeAfter === undefined || drift.unknownMember === 'remove', {
      path: ['removeAfter'],
      message: 'means something only with unknownMember: remove',
    })
    .describe('What to do about differences between the record and this directory.')
    .optional(),
};

interface DriftKeys {
  readonly observe?: boolean | undefined;
  readonly drift?:
    | {
        readonly unknownMember?: DriftRules['unknownMember'] | undefined;
        readonly removeAfter?: string | undefined;
        readonly missingMember?: DriftRules['missingMember'] | undefined;
      }
    | undefined;
}

export function driftRules({ observe, drift }: DriftKeys): DriftRules {
  return {
    observe: observe === true,
    unknownMember: drift?.unknownMember ?? 'tell',
    removeAfterMs: drift?.removeAfter === undefined ? 0 : (parseDuration(drift.removeAfter) ?? 0),
    missingMember: drift?.missingMember ?? 'tell',
  };
}
