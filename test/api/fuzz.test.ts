/**
 * Promise: whatever is sent, it is answered within the document: never by a mistake of ours, and a refusal changes
 * nothing. Attack: for each operation, inputs drawn from its own schema, and the same with a part of them spoilt.
 */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCOPES } from '../../src/api/scopes.ts';
import { type ApiWorld, startApi } from '../support/api.ts';
import { MINUTE } from '../support/builders.ts';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
}
interface Operation {
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema: Schema;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const RUNS = 10;
/** Where nothing is sent but a credential. */
const RUNS_BARE = 4;
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

let world: ApiWorld;
let secrets: readonly string[];
/** What means something here, by where it is sent. */
let known: Readonly<Record<string, readonly string[]>>;

beforeAll(async () => {
  world = await startApi();
  // Nobody waits here: what is waited for is answered as it stands.
  world.stop();
  const all = Object.keys(SCOPES);
  secrets = [
    await world.credential('ana', 'cli'),
    await world.credential('ben', 'cli'),
    await world.credential('cat', 'cli'),
    await world.credential('cat', 'token', { scopes: all }),
    await world.credential('dan', 'workload', { scopes: ['requests:read'] }),
  ];
  const [ana, ben] = secrets;
  const made = await world.call('POST', '/requests', {
    secret: ana ?? '',
    body: { resource: 'db-prod', reason: 'fix the stuck migration' },
  });
  const id = (made.body.request as { id: string }).id;
  const { card } = (await world.call('GET', `/requests/${id}`, { secret: ben ?? '' })).body;
  known = {
    id: [id, id.replace('R-', 'G-')],
    card: [String(card)],
    resource: ['db-prod', 'db-prd'],
    role: ['read', 'admin'],
    duration: ['30m', '1h30m', '9h'],
    grantedWithin: ['2h'],
    reason: ['fix it, it is late', 'x'],
    person: ['ana@acme.com', 'eve@acme.com'],
  };
});
afterAll(() => world.close());

const document = await (async () => {
  const drawn = await startApi();
  const response = await drawn.raw(new Request('http://localhost/api/v1/openapi.json'));
  await drawn.close();
  return (await response.json()) as Document;
})();

/** Another route takes that one, and has its own tests. */
const PATHS = Object.entries(document.paths).filter(([path]) => path !== '/activity');
const OPERATIONS = PATHS.flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);

/** A text that means something where it is sent, one that fits the pattern, or any. */
function word(name: string, pattern: string | undefined): fc.Arbitrary<string> {
  const any = fc.string({ unit: 'binary', maxLength: 60 });
  const fits = pattern === undefined ? any : fc.stringMatching(new RegExp(pattern));
  const meant = known[name] ?? [];
  return fc.oneof(
    ...(meant.length === 0 ? [] : [{ weight: 8, arbitrary: fc.constantFrom(...meant) }]),
    { weight: 1, arbitrary: fits },
    { weight: 1, arbitrary: any },
  );
}

function drawn(schema: Schema, name = ''): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined)
    return drawn(document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {}, name);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => drawn(one, name)));
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'string':
      return word(name, schema.pattern);
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -5, max: schema.maximum ?? 5_000 });
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(drawn(schema.items ?? {}, name), { maxLength: 3 });
    case 'object': {
      const properties = schema.properties ?? {};
      const requiredKeys = [...(schema.required ?? [])];
      return fc.record(Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, drawn(one, key)])), {
        requiredKeys,
      });
    }
    default:
      return fc.jsonValue();
  }
}

/** The same with one of its members taken out, added, or of another kind. */
function spoilt(value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.tuple(value, fc.string({ maxLength: 8 }), fc.jsonValue()).map(([whole, name, other]) => {
    if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return other;
    const names = Object.keys(whole);
    return { ...whole, [names[name.length % (names.length + 1)] ?? name]: other };
  });
}

/** What of it a form can say. */
function formOf(body: unknown): string {
  const pairs = typeof body === 'object' && body !== null ? Object.entries(body) : [];
  return new URLSearchParams(Object.fromEntries(pairs.map(([name, value]) => [name, String(value)]))).toString();
}

const ajv = new Ajv2020({ strict: false, allErrors: false });
addFormats.default(ajv);
ajv.addSchema(document, 'api');
/** Made once: it takes longer than the call. */
const checks = new Map<string, ReturnType<typeof ajv.compile>>();

function unlike(operation: Operation, status: number, type: string | null, body: unknown): string | undefined {
  const said = operation.responses[String(status)];
  if (said !== undefined && said.content === undefined && type === null) return undefined;
  const content = said?.content?.[type ?? ''];
  if (content === undefined) {
    // Said of every path in words, not for each in the document.
    return [400, 415].includes(status) ? undefined : `${status} ${type} is not in the document`;
  }
  const { $ref } = content.schema;
  const name = $ref ?? JSON.stringify(content.schema);
  const fits = checks.get(name) ?? ajv.compile($ref === undefined ? content.schema : { $ref: `api${$ref}` });
  checks.set(name, fits);
  return fits(body) ? undefined : ajv.errorsText(fits.errors);
}

/** What a refusal must leave as it was. */
async function state(): Promise<string> {
  const requests = await world.store.list({ limit: 1_000 });
  return JSON.stringify([requests, await world.store.freezes(), await world.store.openReviews(100)]);
}

describe('every operation', () => {
  it.each(OPERATIONS.map((one) => [`${one.method} ${one.path}`, one] as const))(
    '%s',
    { timeout: 30_000 },
    async (_name, { method, path, operation }) => {
      const { parameters = [], requestBody } = operation;
      const [type = 'application/json', content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
      const schema = content?.schema;
      const valid = schema === undefined ? fc.constant(undefined) : drawn(schema);
      const sent = fc.record({
        parameters: fc.tuple(
          ...parameters.map((one) =>
            one.required === true
              ? drawn(one.schema, one.name)
              : fc.option(drawn(one.schema, one.name), { nil: undefined }),
          ),
        ),
        body:
          schema === undefined
            ? valid
            : fc.oneof(
                { weight: 3, arbitrary: valid },
                { weight: 1, arbitrary: spoilt(valid) },
                { weight: 1, arbitrary: fc.jsonValue() },
              ),
        secret: fc.nat({ max: 4 }),
      });
      let before = await state();
      await fc.assert(
        fc.asyncProperty(sent, async ({ parameters: values, body, secret }) => {
          const query = new URLSearchParams();
          const headers: Record<string, string> = {};
          let to = path;
          for (const [index, { name, in: place }] of parameters.entries()) {
            const value = values[index];
            const text = String(value ?? '');
            if (place === 'path') to = to.replace(`{${name}}`, encodeURIComponent(text.toWellFormed()) || 'x');
            else if (value !== undefined && place === 'query') query.set(name, text);
            else if (value !== undefined && /^[\x20-\x7e]*$/.test(text)) headers[name] = text;
          }
          const answer = await world.call(method, `${to}${query.size === 0 ? '' : `?${query}`}`, {
            // A session that is ended is of no use to those that come after.
            secret: path === '/session' ? await world.credential('ana', 'cli') : (secrets[secret] ?? ''),
            headers: body === undefined ? headers : { ...headers, 'content-type': type },
            ...(body === undefined ? {} : { body: type === 'application/json' ? JSON.stringify(body) : formOf(body) }),
          });
          world.clock.pass(MINUTE / 100);
          expect(world.errors.splice(0)).toEqual([]);
          expect(answer.status).toBeLessThan(500);
          // A path that is made of nothing is another path, or none.
          if (answer.body.code !== 'no_such_path' && answer.body.code !== 'other_method')
            expect(unlike(operation, answer.status, answer.headers.get('content-type'), answer.body)).toBeUndefined();
          const now = await state();
          if (answer.status >= 400) expect(now).toBe(before);
          before = now;
        }),
        { numRuns: parameters.length === 0 && schema === undefined ? RUNS_BARE : RUNS },
      );
    },
  );

  it('takes no other method than its own', async () => {
    const [secret = ''] = secrets;
    for (const [path, methods] of PATHS)
      for (const method of METHODS.filter((one) => !(one.toLowerCase() in methods))) {
        const { status, headers } = await world.call(method, path.replace('{id}', 'R-7KQ2'), { secret });
        expect([method, path, status]).toEqual([method, path, 405]);
        expect(headers.get('allow')).not.toContain(method);
      }
  });
});
