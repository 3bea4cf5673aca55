/** What a SIEM, a spreadsheet and an auditor without our database are handed. */
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { csvCell } from '../../src/access/csv.ts';
import type { AuditEvent } from '../../src/access/model.ts';
import type { TrailEvent } from '../../src/access/ports.ts';
import { exportHead, exportLine } from '../../src/audit/export.ts';
import { ocsfOf } from '../../src/audit/ocsf.ts';
import { anEvent, KEY, T0 } from '../contracts/store-rows.ts';

/**
 * The attributes that OCSF 1.8.0 requires of the two classes, and the values it allows (events/iam/group_management,
 * events/iam/entity_management and base_event of the published schema). Closed, so that an attribute of another class
 * is noticed.
 */
const BASE = {
  activity_id: { type: 'integer' },
  category_uid: { const: 3 },
  class_uid: { type: 'integer' },
  type_uid: { type: 'integer' },
  time: { type: 'integer', minimum: 1_000_000_000_000 },
  severity_id: { enum: [0, 1, 2, 3, 4, 5, 6, 99] },
  status_id: { enum: [0, 1, 2, 99] },
  message: { type: 'string' },
  metadata: {
    type: 'object',
    required: ['product', 'version'],
    properties: {
      version: { const: '1.8.0' },
      product: { type: 'object', required: ['name', 'vendor_name'] },
      uid: { type: 'string' },
      sequence: { type: 'integer' },
      correlation_uid: { type: 'string' },
    },
    additionalProperties: false,
  },
  actor: {
    type: 'object',
    minProperties: 1,
    properties: {
      user: {
        type: 'object',
        minProperties: 1,
        properties: { uid: { type: 'string' }, name: { type: 'string' } },
        additionalProperties: false,
      },
      app_name: { type: 'string' },
    },
    additionalProperties: false,
  },
  unmapped: { type: 'object' },
};
const REQUIRED = ['activity_id', 'category_uid', 'class_uid', 'type_uid', 'time', 'severity_id', 'metadata'];
const named = (more: object) => ({ type: 'object', minProperties: 1, properties: more, additionalProperties: false });
const text = { type: 'string' };
const SCHEMA = {
  oneOf: [
    {
      type: 'object',
      required: [...REQUIRED, 'group'],
      properties: {
        ...BASE,
        class_uid: { const: 3006 },
        activity_id: { enum: [0, 1, 2, 3, 4, 5, 6, 7, 8, 99] },
        group: named({ uid: text, name: text, domain: text }),
        user: named({ uid: text, name: text, domain: text }),
      },
      additionalProperties: false,
    },
    {
      type: 'object',
      required: [...REQUIRED, 'entity'],
      properties: {
        ...BASE,
        class_uid: { const: 3004 },
        activity_id: { enum: [0, 1, 2, 3, 4, 99] },
        entity: named({ uid: text, name: text, type: text }),
      },
      additionalProperties: false,
    },
  ],
};
const valid = new Ajv({ allErrors: true }).compile(SCHEMA);

const link = (event: AuditEvent): TrailEvent => ({
  seq: 7,
  prevHash: 'a'.repeat(64),
  hash: 'b'.repeat(64),
  canonical: '{"seq":7}',
  event,
});
const ACTORS: readonly AuditEvent['actor'][] = [
  { kind: 'person', id: 'okta/00u1', name: 'Ana' },
  { kind: 'account', account: { platform: 'slack', tenant: 'T1', id: 'U1' } },
  { kind: 'operator', name: 'root' },
  { kind: 'hallpass', part: 'provision' },
];
const KINDS = [
  'request.made',
  'request.denied',
  'request.refused',
  'approval.given',
  'approval.refused',
  'grant.started',
  'grant.revoked',
  'grant.ended',
  'membership.addition_started',
  'membership.added',
  'membership.removal_failed',
  'membership.proven_absent',
  'digest.posted',
  'something.nobody_thought_of',
];

describe('OCSF', () => {
  it.each(KINDS)('%s is valid by the schema, whoever did it', (kind) => {
    for (const actor of ACTORS) {
      const event = anEvent({ kind, actor, ...(kind.startsWith('membership.') ? { membership: KEY } : {}) });
      expect(valid(ocsfOf(link(event))), JSON.stringify(valid.errors)).toBe(true);
    }
  });

  it('says of a removal who left which group, and which grant it belongs to', () => {
    const event = anEvent({ kind: 'membership.removed', membership: KEY, grantId: 'G-7KQ2', at: T0 });
    expect(ocsfOf(link(event))).toMatchObject({
      type_uid: 300_604,
      time: T0,
      status_id: 1,
      group: { uid: '00g1', domain: 'okta' },
      user: { uid: '00u1' },
      metadata: { correlation_uid: 'G-7KQ2', sequence: 7 },
    });
  });

  it('says that a removal which failed has failed, and how grave that is', () => {
    const event = anEvent({ kind: 'membership.removal_failed', membership: KEY });
    expect(ocsfOf(link(event))).toMatchObject({ type_uid: 300_604, status_id: 2, severity_id: 4 });
  });
});

describe('CSV', () => {
  it('has a cell for each column, whatever people wrote', () => {
    const event = anEvent({ personal: { reason: 'one, "two"\nthree' } });
    const line = exportLine('csv', link(event));
    expect(exportHead('csv').trim().split(',')).toHaveLength(13);
    expect(line.endsWith('\r\n')).toBe(true);
    expect(line).toContain('""one, \\""two\\""');
  });

  it.each(['=1+1', '+cmd|calc', '-2', '@SUM(A1)'])('does not let %s become a formula', (typed) => {
    expect(csvCell(typed)).toBe(`'${typed}`);
  });
});

it('JSON lines are complete, and hold what is needed to verify them', () => {
  const event = anEvent({ grantId: 'G-7KQ2', personal: { reason: 'why' } });
  const read = JSON.parse(exportLine('jsonl', link(event)));
  expect(read).toMatchObject({
    seq: 7,
    at: new Date(event.at).toISOString(),
    kind: event.kind,
    grantId: 'G-7KQ2',
    personal: { reason: 'why' },
    canonical: '{"seq":7}',
    hash: 'b'.repeat(64),
  });
});
