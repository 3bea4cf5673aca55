/** `POST /activity` as the document says it: its own route takes it, since it is signed by sources and much larger. */
import { z } from '@hono/zod-openapi';
import type { ApiApp } from './routes.ts';

const item = z.looseObject({
  id: z.string(),
  at: z.union([z.iso.datetime({ offset: true }), z.int()]),
  account: z.string(),
  action: z.string(),
});

const became = z
  .object({
    kept: z.int(),
    known: z.int(),
    unattributed: z.int(),
    rejected: z.int(),
    errors: z.array(z.object({ index: z.int(), id: z.string().optional(), code: z.string(), message: z.string() })),
  })
  .openapi('ActivityKept');

const failure = z.object({ error: z.string(), message: z.string() }).openapi('ActivityRefused');
const refused = (description: string) => ({ description, content: { 'application/json': { schema: failure } } });

export function describeIngest({ openAPIRegistry }: ApiApp): void {
  openAPIRegistry.registerComponent('securitySchemes', 'source', {
    type: 'apiKey',
    in: 'header',
    name: 'x-hallpass-signature',
    description: 'v1= and the HMAC of the time and the body, with x-hallpass-source and x-hallpass-timestamp.',
  });
  openAPIRegistry.registerPath({
    method: 'post',
    path: '/activity',
    operationId: 'sendActivity',
    tags: ['activity'],
    summary: 'What people did, as a source of the configuration tells it; see docs/detections.md',
    security: [{ source: [] }],
    request: {
      body: {
        required: true,
        content: { 'application/json': { schema: z.object({ activities: z.array(item).max(10_000) }) } },
      },
    },
    responses: {
      200: { description: 'Durable.', content: { 'application/json': { schema: became } } },
      400: refused('Not JSON, or not a list.'),
      401: refused('No such source, or a signature that does not fit.'),
      413: { description: 'More than 5 MiB.' },
      503: refused('Too much at once: send the same again.'),
    },
  });
}
