/** Promise: the document that describes the API is sound, complete, and what the API does. */
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SCOPES } from '../../src/api/scopes.ts';
import { type ApiWorld, startApi } from '../support/api.ts';

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly { readonly bearer?: readonly string[] }[];
  readonly responses: Readonly<Record<string, unknown>>;
}

let world: ApiWorld;
let source: string;
beforeEach(async () => {
  world = await startApi();
  source = await (await world.raw(new Request('http://localhost/api/v1/openapi.json'))).text();
});
afterEach(() => world.close());

const operations = () =>
  Object.values((JSON.parse(source) as { paths: Record<string, Record<string, Operation>> }).paths).flatMap((path) =>
    Object.values(path),
  );

describe('the OpenAPI document', () => {
  it('passes a linter without a word', async () => {
    const config = await createConfig({ extends: ['recommended'], rules: { 'tag-description': 'off' } });
    const problems = await lintFromString({ source, config });
    expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([]);
  });

  it('is 3.1 and can be read without a credential', () => {
    expect(JSON.parse(source)).toMatchObject({ openapi: '3.1.0', servers: [{ url: '/api/v1' }] });
  });

  it('names what each operation needs, and every scope there is is needed by one', () => {
    for (const { operationId, security, responses } of operations()) {
      expect(security).toBeDefined();
      const usual = ['401', '403', '422', '429', '503'];
      // Signed by a source, and not by a credential of a person's.
      if (operationId !== 'sendActivity') expect(Object.keys(responses)).toEqual(expect.arrayContaining(usual));
    }
    const named = new Set(operations().flatMap(({ security }) => security.flatMap(({ bearer = [] }) => bearer)));
    expect([...named].sort()).toEqual(Object.keys(SCOPES).sort());
  });
});
