/** Who one is here, by the credential that was sent. */
import { createRoute } from '@hono/zod-openapi';
import { type ApiApp, json, PROBLEMS, type RouteParts } from './routes.ts';
import * as shape from './schemas.ts';
import { iso } from './shown.ts';

export function meRoutes(app: ApiApp, { door, catalog }: RouteParts): void {
  app.openapi(
    createRoute({
      method: 'get',
      path: '/me',
      operationId: 'me',
      tags: ['me'],
      summary: 'Whom the credential stands for',
      ...door.needs(),
      responses: { 200: json(shape.me, 'You.'), ...PROBLEMS },
    }),
    (c) => {
      const { person, session } = c.var.caller;
      return c.json(
        {
          person: { id: person.id, name: person.name, email: person.email },
          session: {
            id: session.id,
            kind: session.kind,
            ...(session.label === undefined ? {} : { label: session.label }),
            scopes: [...session.scopes],
            expiresAt: iso(session.expiresAt),
          },
          zone: person.zone ?? catalog().timezone,
        },
        200,
      );
    },
  );
}
