import { describe, expect, test } from 'vitest';
import { type Catalog, entitlementById, findEntitlement, nearest } from '../../src/access/catalog.ts';
import { entitlement } from '../support/builders.ts';

const read = entitlement();
const admin = entitlement({ id: 'db-prod:admin', role: 'admin' });
const catalog: Catalog = {
  resources: {
    'db-prod': { name: 'db-prod', title: 'Orders database', defaultRole: 'read', roles: { read, admin } },
    'k8s-eu': { name: 'k8s-eu', title: 'Cluster', defaultRole: 'read', roles: {} },
  },
  admins: [],
  responders: [],
  viewers: [],
  timezone: 'UTC',
};

describe('a resource', () => {
  test('is found in any case, with its default role or the one asked for', () => {
    expect(findEntitlement(catalog, 'DB-Prod')).toBe(read);
    expect(findEntitlement(catalog, 'db-prod', 'ADMIN')).toBe(admin);
  });

  test.each(['db-prdo', 'dbprod', 'db-pro', 'prod'])('written %s is met with the name that was meant', (asked) => {
    expect(findEntitlement(catalog, asked)).toMatchObject({ code: 'unknown_resource', suggestions: ['db-prod'] });
  });

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', ''])('called "%s" is unknown', (asked) => {
    expect(findEntitlement(catalog, asked)).toMatchObject({ code: 'unknown_resource', suggestions: [] });
  });

  test('has no role called constructor, and says which roles it has', () => {
    for (const role of ['constructor', '__proto__', 'write'])
      expect(findEntitlement(catalog, 'db-prod', role)).toMatchObject({
        code: 'unknown_role',
        roles: ['read', 'admin'],
      });
  });

  test('without its default role is refused, not thrown at', () => {
    expect(findEntitlement(catalog, 'k8s-eu')).toMatchObject({ code: 'unknown_role', asked: 'read', roles: [] });
  });

  test('of 50,000 letters gets no suggestion, and at once', () => {
    expect(nearest('x'.repeat(50_000), ['db-prod'])).toEqual([]);
  });
});

test('an id is found exactly or not at all', () => {
  expect(entitlementById(catalog, 'db-prod:admin')).toBe(admin);
  expect(entitlementById(catalog, 'db-prod:toString')).toBeUndefined();
});
