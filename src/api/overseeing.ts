/** What those who answer for access look at: reviews, activity and findings, directories, the trail. */
import { createRoute, type z } from '@hono/zod-openapi';
import type { Finding } from '../access/activity.ts';
import type { Answer, Command, Refusal } from '../access/command.ts';
import { requestIdOf } from '../access/handle.ts';
import type { Review } from '../access/model.ts';
import type { TrailEvent } from '../access/ports.ts';
import type { ReviewView } from '../access/review-view.ts';
import { seqCursor, seqOf } from './cursor.ts';
import { refusalProblem } from './problems.ts';
import { reasonOf } from './requests.ts';
import { type ApiApp, body, CONFLICT, carryOut, json, NOT_FOUND, PROBLEMS, type RouteParts } from './routes.ts';
import { idParam, onceHeader } from './schemas.ts';
import * as shape from './schemas-oversight.ts';
import { at, given, iso } from './shown.ts';

export function overseeingRoutes(app: ApiApp, parts: RouteParts): void {
  const { door, oversight, store, handler } = parts;

  app.openapi(
    createRoute({
      method: 'get',
      path: '/reviews',
      operationId: 'listReviews',
      tags: ['reviews'],
      summary: 'Post-access reviews that are owed, oldest first',
      ...door.needs('reviews:read'),
      responses: { 200: json(shape.reviews, 'At most a hundred.'), ...PROBLEMS },
    }),
    async (c) => {
      const owed = await oversight.reviews(c.var.caller.person);
      const items = await Promise.all(
        owed.map(async (review) => {
          const view = await handler.review(review.id);
          return view === undefined ? [] : [reviewShown(review, view)];
        }),
      );
      return c.json({ items: items.flat() }, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'post',
      path: '/reviews/{id}',
      operationId: 'review',
      tags: ['reviews'],
      summary: 'Sign a grant off, or question it, by its id; never by a token',
      ...door.needs('reviews:read'),
      request: { params: idParam, headers: onceHeader, body: body(shape.verdict) },
      responses: { 200: json(shape.review, 'Written down.'), ...PROBLEMS, ...NOT_FOUND, ...CONFLICT },
    }),
    async (c) => {
      const { verdict, note } = c.req.valid('json');
      const command: Command = {
        do: 'review',
        by: c.var.caller.by,
        target: { typed: c.req.valid('param').id },
        verdict,
        ...(note === undefined ? {} : { note: reasonOf(note) }),
      };
      const shown = async (answer: Answer) => {
        if (answer.say === 'refused') throw refusalProblem(answer.refusal, undefined);
        if (answer.say !== 'review') throw new Error(`a review was answered by ${answer.say}`);
        const review = await store.review(answer.review.id);
        if (review === undefined) throw new Error(`review ${answer.review.id} is gone`);
        return reviewShown(review, answer.review);
      };
      return c.json(await carryOut(c, parts, command, shown), 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/grants/{id}/activity',
      operationId: 'getGrantActivity',
      tags: ['activity'],
      summary: 'What was done under a grant, and what was found in it',
      ...door.needs('activity:read'),
      request: { params: idParam },
      responses: { 200: json(shape.grantActivity, 'As far as the sources have told.'), ...PROBLEMS, ...NOT_FOUND },
    }),
    async (c) => {
      const id = requestIdOf(c.req.valid('param').id) ?? '';
      const { use, activities, findings } = allowed(await oversight.activity(c.var.caller.person, id));
      return c.json(
        {
          total: use?.activities ?? 0,
          outside: use?.outside ?? 0,
          after: use?.after ?? 0,
          ...at('firstAt', use?.firstAt),
          ...at('lastAt', use?.lastAt),
          items: activities.map((one) => ({
            source: one.source,
            at: iso(one.at),
            action: one.action,
            kind: one.kind,
            account: one.account,
            outcome: one.outcome,
            resource: one.resource,
            target: one.target,
            amount: one.amount,
            fit: one.fit,
          })),
          findings: findings.map(findingShown),
        },
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/findings',
      operationId: 'listFindings',
      tags: ['activity'],
      summary: 'Findings that nobody has closed, oldest first; for admins and responders',
      ...door.needs('activity:read'),
      responses: { 200: json(shape.findings, 'At most a hundred.'), ...PROBLEMS },
    }),
    async (c) => c.json({ items: allowed(await oversight.findings(c.var.caller.person)).map(findingShown) }, 200),
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/directories',
      operationId: 'listDirectories',
      tags: ['directories'],
      summary: 'How directories answer, and which removals are owed; for admins and responders',
      ...door.needs('directories:read'),
      responses: { 200: json(shape.directories, 'As it is now.'), ...PROBLEMS },
    }),
    async (c) => {
      const { directories, removals } = allowed(await oversight.operations(c.var.caller.person));
      return c.json(
        {
          items: directories.map(({ name, state, error, failing }) => ({
            name,
            state,
            ...given('error', error),
            failing,
          })),
          removals: removals.items.map(({ directory, group, login, failures, error }) => ({
            directory,
            group,
            login,
            failures,
            ...given('error', error),
          })),
          more: removals.more,
        },
        200,
      );
    },
  );

  app.openapi(
    createRoute({
      method: 'get',
      path: '/audit/events',
      operationId: 'listAuditEvents',
      tags: ['audit'],
      summary: 'The trail, oldest first; for admins and responders, and for a token that has the scope',
      ...door.needs('audit:read'),
      request: { query: shape.auditQuery },
      responses: { 200: json(shape.auditPage, 'One page.'), ...PROBLEMS },
    }),
    async (c) => {
      const { person, session } = c.var.caller;
      // The scope is given on the host, where the whole trail can be exported anyway.
      const no = session.kind === 'token' ? undefined : await oversight.mayNotAudit(person);
      if (no !== undefined) throw refusalProblem(no, undefined);
      const { cursor, limit } = c.req.valid('query');
      const after = cursor === undefined ? 0 : seqOf(cursor);
      const events = await store.trailEvents(after, limit);
      return c.json(
        {
          items: events.map(eventShown),
          next: seqCursor(events.at(-1)?.seq ?? after),
          more: events.length === limit,
        },
        200,
      );
    },
  );
}

function allowed<T extends object>(found: T | Refusal): Exclude<T, Refusal> {
  if ('code' in found) throw refusalProblem(found as Refusal, undefined);
  return found as Exclude<T, Refusal>;
}

function reviewShown(review: Review, view: ReviewView): z.output<typeof shape.review> {
  return {
    id: review.id,
    state: review.state,
    why: review.why,
    grantId: review.grantId,
    requestId: review.requestId,
    holder: { name: review.holderName },
    entitlement: review.entitlement,
    reason: review.reason,
    createdAt: iso(review.createdAt),
    dueAt: iso(review.dueAt),
    ...at('decidedAt', review.decidedAt),
    ...given('decidedBy', review.decidedBy),
    ...given('note', review.note),
    title: view.title,
    headline: view.headline,
    lines: [...view.lines],
  };
}

function findingShown(finding: Finding): z.output<typeof shape.finding> {
  return {
    id: finding.id,
    state: finding.state,
    rule: finding.rule,
    title: finding.title,
    level: finding.level,
    grantId: finding.grantId,
    requestId: finding.requestId,
    holder: { name: finding.holderName },
    entitlement: finding.entitlement,
    count: finding.count,
    firstAt: iso(finding.firstAt),
    lastAt: iso(finding.lastAt),
    ...given('explanation', finding.explanation),
    ...given('closedBy', finding.closedBy),
    ...at('closedAt', finding.closedAt),
    ...given('note', finding.note),
  };
}

function eventShown({ seq, event, hash, prevHash }: TrailEvent): z.output<typeof shape.auditEvent> {
  const { actor, membership } = event;
  return {
    seq,
    at: iso(event.at),
    kind: event.kind,
    actor: actorShown(actor),
    ...given('requestId', event.requestId),
    ...given('grantId', event.grantId),
    ...(membership === undefined
      ? {}
      : {
          membership: { directory: membership.directory, groupId: membership.groupId, userId: membership.userId },
        }),
    detail: event.detail,
    ...given('personal', event.personal),
    prevHash,
    hash,
  };
}

function actorShown(actor: TrailEvent['event']['actor']): z.output<typeof shape.auditEvent>['actor'] {
  switch (actor.kind) {
    case 'person':
      return { kind: 'person', id: actor.id, name: actor.name, ...given('via', actor.via) };
    case 'account':
      return { kind: 'account', id: `${actor.account.platform}:${actor.account.tenant}/${actor.account.id}` };
    case 'operator':
      return { kind: 'operator', name: actor.name };
    case 'hallpass':
      return { kind: 'hallpass', name: actor.part };
  }
}
