/** `hallpass drain`: nothing new, everything ended, and what remains is said. */
import { cleanReason } from '../access/grammar.ts';
import { createHandler } from '../access/handle.ts';
import type { Settings } from '../config.ts';
import { randomIds } from '../ids.ts';
import { createLog } from '../log.ts';
import { openDirectories } from '../main/opening.ts';
import { createMetrics } from '../metrics.ts';
import { drain, drainPreview } from '../workers/drain.ts';
import { sayRefused } from './emergency.ts';
import { sleep, stillOwed } from './end.ts';
import { hostPeople, opened } from './host.ts';
import { EXIT, type Out } from './out.ts';

const STDERR = 2;

export interface DrainOptions {
  readonly reason: string;
  readonly yes: boolean;
  readonly waitMs: number;
  readonly operator: string;
}

export async function drainCommand(io: Out, settings: Settings, options: DrainOptions): Promise<number> {
  const reason = cleanReason(options.reason);
  if (typeof reason !== 'string') return sayRefused(io, settings, reason);
  if (reason === '') return sayRefused(io, settings, { code: 'reason_missing', minLength: 1 });
  const { store, clock } = await opened(settings);
  try {
    const directories = openDirectories(settings, clock, createMetrics());
    const ids = randomIds();
    const preview = await drainPreview({ store, clock });
    const { pending, live, owed } = preview;
    if (!options.yes) {
      io.say({ ok: false, drained: false, ...preview }, [
        `Draining would freeze everything, withdraw ${pending} waiting and end ${live} live; ${owed} removals are owed already.`,
        'Nothing was done. Run it with --yes to do it.',
      ]);
      return EXIT.failed;
    }
    const people = hostPeople(settings, directories);
    const handler = createHandler({ store, people, directories, catalog: () => settings.catalog, clock, ids });
    const by = { operator: options.operator };
    // First, so that nothing is asked for or approved while the rest goes on. It stays, until somebody lifts it.
    const frozen = await handler.handle({ do: 'freeze', by, aim: { all: true }, reason });
    if (frozen.say === 'refused' && frozen.refusal.code !== 'already_frozen')
      return sayRefused(io, settings, frozen.refusal);
    const log = createLog(settings.env.logLevel, STDERR);
    const parts = { store, directories, clock, ids, log };
    const actor = { kind: 'operator', name: options.operator } as const;
    const report = await drain(parts, { by: actor, reason, waitMs: options.waitMs }, sleep);
    const left = await drainPreview({ store, clock });
    const done = report.outstanding.length === 0 && left.pending + left.live + left.owed === 0;
    io.say({ ok: done, drained: true, ...report, left }, [
      `Everything is frozen. Withdrawn: ${Math.max(pending, report.withdrawn)}. Ended: ${Math.max(live, report.ended)}. Removed and checked: ${report.proven.length}.`,
      ...report.outstanding.map((one) => `STILL A MEMBER, as far as is known: ${stillOwed(one)}`),
      done
        ? 'Nothing that Hallpass added is left. It may be taken away. To go on instead: hallpass unfreeze all.'
        : 'Not everything is proven gone. Run it again before Hallpass is taken away.',
    ]);
    return done ? EXIT.done : EXIT.failed;
  } finally {
    await store.close();
  }
}
