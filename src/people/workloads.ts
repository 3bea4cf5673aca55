/** The token of a pipeline's job, given in for a session: once, and only as the configuration says. */
import type { Refusal } from '../access/command.ts';
import { decideWorkload } from '../access/decide-workload.ts';
import type { Person } from '../access/model.ts';
import {
  type Clock,
  type Ids,
  type Metrics,
  type People,
  PeopleError,
  StaleStateError,
  type Store,
} from '../access/ports.ts';
import type { WorkloadSession, Workloads } from '../access/workload.ts';
import type { WorkloadSection } from './workload-section.ts';
import { createTokenReader, type Job, WorkloadError } from './workload-token.ts';

export interface WorkloadParts {
  /** As the file has them now, each with its audience. */
  readonly sections: () => Readonly<Record<string, WorkloadSection & { readonly audience: string }>>;
  readonly people: Pick<People, 'stated'>;
  readonly store: Pick<Store, 'commit'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly wallClock: () => number;
  readonly ids: Pick<Ids, 'opaque' | 'hash'>;
  readonly metrics: Metrics;
  readonly fetch?: typeof fetch;
}

export function createWorkloads(parts: WorkloadParts): Workloads {
  const { people, store, clock, ids, metrics } = parts;
  const reader = createTokenReader(parts);

  async function exchange(name: string, token: string): Promise<WorkloadSession | { readonly refusal: Refusal }> {
    const sections = parts.sections();
    const section = Object.hasOwn(sections, name) ? sections[name] : undefined;
    if (section === undefined) return refused('not_configured', 'There is no such workload.');
    const job = await reader.read(token, section);
    const facts = {
      person: await people.stated(section.directoryUser),
      needsHuman: section.onBehalfOf === 'actor',
      ...(await humanOf(job, section)),
    };
    const secret = `hps_${ids.opaque()}${ids.opaque()}`;
    const { run, runName, runUrl, again } = job;
    const workload = { name, run, runName, ...(runUrl === undefined ? {} : { runUrl }) };
    const now = clock.now();
    const decided = decideWorkload(
      { ...facts, workload, again, sessionId: `S-${ids.opaque()}`, secretHash: ids.hash(secret) },
      now,
    );
    if ('refusal' in decided) return decided;
    try {
      // Remembered like a delivery, by the commit that answers it: of two processes with the same token one is stale.
      const key = `workload:${ids.hash(job.tokenId)}`;
      await store.commit({ changes: decided.changes, delivery: { key, receivedAt: now, body: '{}' } });
    } catch (error) {
      if (!(error instanceof StaleStateError)) throw error;
      return refused('replayed', 'This token was used before. Ask for a new one.');
    }
    const { session } = decided;
    return {
      secret,
      id: session.id,
      expiresAt: session.expiresAt,
      person: session.personName,
      workload: session.workload ?? workload,
    };
  }

  async function humanOf(job: Job, section: WorkloadSection): Promise<{ readonly human?: Person }> {
    const { onBehalfOf, actors = {} } = section;
    const email = job.actorId !== undefined && Object.hasOwn(actors, job.actorId) ? actors[job.actorId] : undefined;
    return onBehalfOf === undefined || email === undefined ? {} : { human: await people.stated(email) };
  }

  return {
    async exchange(name, token) {
      let outcome: Awaited<ReturnType<typeof exchange>>;
      try {
        outcome = await exchange(name, token);
      } catch (error) {
        outcome = refusedBy(error);
      }
      const told = 'refusal' in outcome ? outcome.refusal : undefined;
      metrics.count('hallpass_workload_sessions_total', {
        outcome: told === undefined ? 'begun' : told.code === 'workload_refused' ? told.fault : told.code,
      });
      return outcome;
    },
  };
}

function refusedBy(error: unknown): { readonly refusal: Refusal } {
  if (error instanceof WorkloadError) return refused(error.fault, error.message);
  if (!(error instanceof PeopleError)) throw error;
  return error.code === 'unavailable'
    ? { refusal: { code: 'cannot_check', what: 'whose job this is', error: error.message } }
    : { refusal: { code: 'not_recognised', why: error.code, message: error.message } };
}

function refused(fault: WorkloadError['fault'], why: string): { readonly refusal: Refusal } {
  return { refusal: { code: 'workload_refused', fault, why } };
}
