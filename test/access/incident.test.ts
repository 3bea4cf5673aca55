/** Access that was asked for during an incident ends with it, and never because nobody could be asked. */
import { describe, expect, test } from 'vitest';
import { decideApprove } from '../../src/access/decide-answer.ts';
import { INCIDENT_GRACE_MS, INCIDENT_LOOK_MS, incidentFor, ringIncident } from '../../src/access/decide-incident.ts';
import { decideRequest } from '../../src/access/decide-request.ts';
import { incidentsToEndWith, stillOpen } from '../../src/access/gather.ts';
import type { Grant } from '../../src/access/model.ts';
import type { Incident } from '../../src/access/ports.ts';
import { viewOf } from '../../src/access/view.ts';
import {
  activeGrant,
  approveFacts,
  entitlement,
  grant,
  grantRecord,
  HOUR,
  MINUTE,
  ourMembership,
  policy,
  request,
  requestFacts,
  requestRecord,
  T0,
} from '../support/builders.ts';
import { changesOf, dropped, eventKinds, faultsOf, jobs, put } from '../support/given.ts';

const tying = policy({ endWithIncident: true });
const older: Incident = { id: 'Q1', title: 'orders are slow', openedAt: T0 - HOUR, openedBy: [] };
const newer: Incident = { id: 'Q2', title: 'orders are gone', openedAt: T0 - MINUTE, openedBy: [] };
const tied = { id: 'Q1', title: 'orders are slow' };
const live = (more: Partial<Grant> = {}) => grantRecord(activeGrant({ incident: tied, ...more }), [ourMembership()]);
const ring = (record: Parameters<typeof ringIncident>[0], open: boolean | undefined, now = T0 + 5 * MINUTE) => {
  const rung = ringIncident(record, open, now);
  return 'dueAt' in rung ? { changes: [], ...rung } : { changes: rung, dueAt: undefined };
};

describe('a request', () => {
  const ask = (open: readonly Incident[], of = tying, reason = 'fix stuck migration') =>
    put(
      changesOf(
        decideRequest({ reason }, requestFacts({ entitlement: entitlement({ policy: of }), openIncidents: open }), T0),
      ),
      'request',
    )[0];

  test('is tied to the incident that its reason names, else to the newest one that is open', () => {
    expect(ask([older, newer])?.incident).toEqual({ id: 'Q2', title: 'orders are gone' });
    expect(ask([older, newer], tying, 'Q1: restart the workers')?.incident).toMatchObject({ id: 'Q1' });
  });

  test('is tied to none where none is open, or where the policy does not say so', () => {
    expect(ask([])).not.toHaveProperty('incident');
    expect(ask([older], policy())).not.toHaveProperty('incident');
    expect(incidentFor(policy({ endWithIncident: false }), [older], '')).toBeUndefined();
  });

  test('is not refused, and not tied, because the source does not answer', async () => {
    const incidents = {
      openFor: () => Promise.reject(new Error('down')),
      isOpen: () => Promise.reject(new Error('down')),
    };
    expect(await incidentsToEndWith({ incidents }, entitlement({ policy: tying }))).toEqual([]);
    expect(await stillOpen({ incidents }, 'Q1')).toBeUndefined();
  });

  test('becomes a grant that is looked after from the start', () => {
    const of = request({ incident: tied });
    const changes = changesOf(decideApprove(approveFacts({ record: requestRecord(of) }), T0));
    expect(put(changes, 'grant')[0]?.incident).toEqual(tied);
    expect(jobs(changes).get('incident:G-7KQ2')).toMatchObject({ lane: 'ask', dueAt: T0 + INCIDENT_LOOK_MS });
  });
});

describe('a grant that is tied to an incident', () => {
  test('goes on while it is open, and while nobody can tell', () => {
    expect(ring(live(), true)).toMatchObject({ changes: [], dueAt: T0 + 5 * MINUTE + INCIDENT_LOOK_MS });
    expect(ring(live(), undefined)).toMatchObject({ changes: [], dueAt: T0 + 5 * MINUTE + INCIDENT_LOOK_MS });
  });

  test('ends soon after it is closed, and its holder is warned and told why', () => {
    const now = T0 + 5 * MINUTE;
    const { changes } = ring(live(), false, now);
    expect(faultsOf(changes)).toEqual([]);
    const row = put(changes, 'grant')[0];
    expect(row).toMatchObject({ state: 'active', expiresAt: now + INCIDENT_GRACE_MS, incident: { closedAt: now } });
    expect(jobs(changes).get('end:G-7KQ2')?.dueAt).toBe(now + INCIDENT_GRACE_MS);
    expect(dropped(changes)).toEqual(['warn:G-7KQ2']);
    expect([...jobs(changes).keys()]).toContain(`msg:R-7KQ2:warning:${now + INCIDENT_GRACE_MS}`);
    expect(eventKinds(changes)).toEqual(['grant.incident_closed']);
    const shown = viewOf(
      {
        record: requestRecord(request({ state: 'approved', incident: tied })),
        grant: { ...live(), grant: row ?? live().grant },
      },
      now,
      'UTC',
    );
    expect(shown.headline).toMatch(/Ends 09:15 UTC: incident Q1 is closed\.$/);
  });

  test('never lasts longer for it: an end that comes first stays', () => {
    const { changes } = ring(live({ expiresAt: T0 + 6 * MINUTE }), false);
    expect(put(changes, 'grant')[0]?.expiresAt).toBe(T0 + 6 * MINUTE);
  });

  test('that is still being added has its hard end moved, and nothing else', () => {
    const adding = grantRecord(grant({ incident: tied }));
    const row = put(ring(adding, false).changes, 'grant')[0];
    expect(row).toMatchObject({ state: 'adding', hardEndAt: T0 + 5 * MINUTE + INCIDENT_GRACE_MS });
    expect(row).not.toHaveProperty('expiresAt');
  });

  test('is warned of once, whatever rings again, and not at all when it is over or was never tied', () => {
    const closed = live({ incident: { ...tied, closedAt: T0, endsAt: T0 + INCIDENT_GRACE_MS } });
    expect(ring(closed, false).changes).toEqual([]);
    expect(ring(live({ state: 'ending' }), false).changes).toEqual([]);
    expect(ring(grantRecord(activeGrant()), false).changes).toEqual([]);
    expect(ring(undefined, false).changes).toEqual([]);
  });

  test('that people have given more time since ends by that', () => {
    const moved = activeGrant({ incident: { ...tied, closedAt: T0, endsAt: T0 + 10 * MINUTE }, expiresAt: T0 + HOUR });
    const record = grantRecord(moved, [ourMembership()]);
    const shown = viewOf({ record: requestRecord(request({ state: 'approved' })), grant: record }, T0, 'UTC');
    expect(shown.headline).not.toMatch(/is closed/);
  });
});
