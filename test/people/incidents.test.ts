/**
 * Incident sources against strict local servers: what is open for a resource's own service and no other, however old,
 * with whoever opened it; and what cannot be told is never told.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createIncidents, currentIncidents, remembered } from '../../src/people/incidents.ts';
import { type Services, startServices, TOKENS } from '../support/services.ts';

let services: Services;
beforeEach(async () => {
  services = await startServices();
});
afterEach(() => services.close());

const parts = {
  clock: { now: () => 0, monotonic: () => 0 },
  metrics: { count: () => {}, observe: () => {} },
  jitter: () => 0,
};
const pagerDuty = () =>
  createIncidents(
    {
      type: 'pagerduty',
      token: TOKENS.pagerDuty,
      url: services.url,
      services: { 'db-prod': 'PSVC1', reports: 'PSVC2' },
    },
    parts,
  );
const incidentIo = () =>
  createIncidents(
    {
      type: 'incident-io',
      token: TOKENS.incidentIo,
      url: services.url,
      field: '01FIELD',
      services: { 'db-prod': '01DB' },
    },
    parts,
  );

describe('PagerDuty', () => {
  test('an incident that is a year old and still open is open; those of other services and resolved ones are not', async () => {
    services.incidents = [
      { id: 'Q1', title: 'Disk full', status: 'acknowledged', service: 'PSVC1', createdAt: '2025-11-01T08:00:00Z' },
      { id: 'Q2', title: 'Over', status: 'resolved', service: 'PSVC1', createdAt: '2026-11-01T08:00:00Z' },
      { id: 'Q3', title: 'Elsewhere', status: 'triggered', service: 'PSVC2', createdAt: '2026-11-01T08:00:00Z' },
    ];
    expect(await pagerDuty().openFor('db-prod')).toEqual([
      {
        id: 'Q1',
        title: 'Disk full',
        url: 'https://acme.pagerduty.com/incidents/Q1',
        openedAt: Date.parse('2025-11-01T08:00:00Z'),
        openedBy: [],
      },
    ]);
    expect(await pagerDuty().openFor('db-prod/orders')).toEqual([]);
    expect(await pagerDuty().openFor('constructor')).toEqual([]);
  });

  test('a person who opened it is named by email, and when that cannot be told there is no answer', async () => {
    services.pagerDutyUsers = { UANA: 'Ana@Acme.com' };
    services.incidents = [
      {
        id: 'Q1',
        title: 'By hand',
        status: 'triggered',
        service: 'PSVC1',
        createdAt: '2026-11-01T08:00:00Z',
        by: { type: 'user', id: 'UANA' },
      },
    ];
    expect(await pagerDuty().openFor('db-prod')).toMatchObject([{ id: 'Q1', openedBy: ['ana@acme.com'] }]);
    services.pagerDutyUsers = {};
    await expect(pagerDuty().openFor('db-prod')).rejects.toThrow(/PagerDuty does not say who opened an incident/);
  });

  test('reads every page', async () => {
    services.incidents = Array.from({ length: 130 }, (_, at) => ({
      id: `Q${at}`,
      title: 'one of many',
      status: 'triggered' as const,
      service: 'PSVC1',
      createdAt: '2026-11-01T08:00:00Z',
    }));
    expect(await pagerDuty().openFor('db-prod')).toHaveLength(130);
  });

  test('one is open until it is resolved or gone; an outage says nothing', async () => {
    services.incidents = [
      { id: 'Q1', title: '', status: 'acknowledged', service: 'PSVC1', createdAt: '2026-11-01T08:00:00Z' },
      { id: 'Q2', title: '', status: 'resolved', service: 'PSVC1', createdAt: '2026-11-01T08:00:00Z' },
    ];
    expect(await pagerDuty().isOpen('Q1')).toBe(true);
    expect(await pagerDuty().isOpen('Q2')).toBe(false);
    expect(await pagerDuty().isOpen('../users/Q1')).toBe(false);
    services.next = [500, 500];
    await expect(pagerDuty().isOpen('Q1')).rejects.toMatchObject({ code: 'unavailable' });
    services.next = [
      { status: 404, body: '<html>proxy</html>' },
      { status: 404, body: '<html>proxy</html>' },
    ];
    await expect(pagerDuty().isOpen('Q1')).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('incident.io', () => {
  const incident = { name: 'Slow', field: '01FIELD', value: '01DB', createdAt: '2026-11-01T08:00:00Z' };

  test('only live ones of that very service are open, and exercises are not', async () => {
    services.ioIncidents = [
      { ...incident, id: '01A', category: 'live', createdBy: 'Ana@acme.com' },
      { ...incident, id: '01B', category: 'live', value: '01OTHER' },
      { ...incident, id: '01C', category: 'triage' },
      { ...incident, id: '01D', category: 'closed' },
      { ...incident, id: '01E', category: 'live', mode: 'test' },
      { ...incident, id: '01F', category: 'live' },
    ];
    expect(await incidentIo().openFor('db-prod')).toMatchObject([
      { id: '01A', openedBy: ['ana@acme.com'], url: 'https://app.incident.io/acme/incidents/01A' },
      { id: '01F', openedBy: [] },
    ]);
    expect(await incidentIo().openFor('reports')).toEqual([]);
  });

  test('a filter that the service did not understand makes no incident one of this resource', async () => {
    const other = {
      id: '01X',
      created_at: '2026-11-01T08:00:00Z',
      incident_status: { category: 'live' },
      creator: {},
      custom_field_entries: [],
    };
    services.next = [{ status: 200, body: JSON.stringify({ incidents: [other] }) }];
    expect(await incidentIo().openFor('db-prod')).toEqual([]);
  });

  test('one stays open while it is paused, and is over once it is closed, merged or gone', async () => {
    services.ioIncidents = ['live', 'paused', 'closed', 'merged'].map((category) => ({
      ...incident,
      id: `01${category}`,
      category,
    }));
    const open = await Promise.all(
      ['live', 'paused', 'closed', 'merged', 'gone'].map((which) => incidentIo().isOpen(`01${which}`)),
    );
    expect(open).toEqual([true, true, false, false, false]);
  });
});

test('an answer serves for a minute, a failure not at all', async () => {
  let now = 0;
  const source = remembered(pagerDuty(), { monotonic: () => now });
  services.next = [401];
  await expect(source.openFor('db-prod')).rejects.toThrow(/refuses the credential/);
  await Promise.all([source.openFor('db-prod'), source.openFor('db-prod')]);
  now = 60_000;
  await source.openFor('db-prod');
  expect(services.asked).toHaveLength(2);
  now = 60_001;
  await source.openFor('db-prod');
  expect(services.asked).toHaveLength(3);
});

test('where no source is configured nothing is said to be open or over', async () => {
  const none = currentIncidents(() => undefined);
  await expect(none.openFor('db-prod')).rejects.toMatchObject({ code: 'unavailable' });
  await expect(none.isOpen('Q1')).rejects.toMatchObject({ code: 'unavailable' });
});
