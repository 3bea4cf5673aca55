/** An OCSF event (1.8) as an activity: who, what, on what, from where. What it does not say stays empty. */
import { z } from 'zod';
import type { ActivityKind } from '../access/activity.ts';
import type { Item, Raw } from './items.ts';

const text = z.string().max(2_000).optional().catch(undefined);
const named = z.object({ name: text, uid: text }).optional().catch(undefined);

const event = z.object({
  class_uid: z.int(),
  activity_id: z.int().optional().catch(undefined),
  activity_name: text,
  type_name: text,
  time: z.number(),
  metadata: z.object({ uid: z.string().min(1).max(200) }),
  actor: z.object({ user: z.object({ email_addr: text, name: text, uid: text }) }),
  api: z.object({ operation: text }).optional().catch(undefined),
  status_id: z.int().optional().catch(undefined),
  database: named,
  databucket: named,
  table: named,
  resources: z
    .array(z.object({ name: text, uid: text, type: text }))
    .max(1_000)
    .optional()
    .catch(undefined),
  dst_endpoint: z.object({ hostname: text, name: text }).optional().catch(undefined),
  src_endpoint: z
    .object({ ip: text, location: z.object({ country: text }).optional().catch(undefined), uid: text, hostname: text })
    .optional()
    .catch(undefined),
  device: z.object({ uid: text, hostname: text }).optional().catch(undefined),
  count: z.number().min(0).max(1e12).optional().catch(undefined),
});

/** `class_uid` of the events that are told apart. */
const AUTHENTICATION = 3002;
const PRIVILEGES: ReadonlySet<number> = new Set([3005, 3006]);
const API = 6003;
const DATASTORE = 6005;

const DATASTORE_KINDS: Readonly<Record<number, ActivityKind>> = {
  1: 'read',
  2: 'write',
  3: 'login',
  4: 'read',
  5: 'write',
  6: 'write',
  7: 'delete',
  8: 'read',
};
const API_KINDS: Readonly<Record<number, ActivityKind>> = { 1: 'write', 2: 'read', 3: 'write', 4: 'delete' };

/** API calls whose name says more than create, read, update and delete do. */
const BY_OPERATION: readonly (readonly [RegExp, ActivityKind])[] = [
  [/^(?:StopLogging|DeleteTrail|UpdateTrail|PutEventSelectors|DeleteFlowLogs|DeleteDetector)$/, 'logging'],
  [/^(?:CreateAccessKey|CreateServiceSpecificCredential|CreateLoginProfile)$/, 'credential'],
  [/^(?:DeactivateMFADevice|DeleteVirtualMFADevice)$/, 'factor'],
  [/^(?:Attach(?:User|Group|Role)Policy|AddUserToGroup|UpdateAssumeRolePolicy)$/, 'privilege'],
  [/^(?:Put|Delete|Create|Set).*Policy(?:Version)?$/, 'policy'],
  [/(?:Export|CreateSnapshot|CopySnapshot|CopyDBSnapshot|ModifySnapshotAttribute)/, 'export'],
];

export function ocsfActivity(source: string, value: object, built: (raw: Raw) => Item): Item {
  const read = event.safeParse(value, { reportInput: false });
  if (!read.success) {
    const [issue] = read.error.issues;
    return {
      wrong: `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message.replace(/^Invalid input: /, '') ?? 'not understood'}`,
    };
  }
  const { class_uid, activity_id, actor, metadata, time, ...rest } = read.data;
  const account = actor.user.email_addr ?? actor.user.name ?? actor.user.uid;
  if (account === undefined || account === '') return { wrong: 'actor.user: nobody is named', uid: metadata.uid };
  const resource = rest.resources?.[0];
  return built({
    source,
    uid: metadata.uid,
    at: time,
    account: account.slice(0, 320),
    action: rest.api?.operation ?? rest.activity_name ?? rest.type_name ?? `${class_uid}:${activity_id ?? 0}`,
    kind: kindOf(class_uid, activity_id ?? 0, rest.api?.operation),
    outcome: rest.status_id === 2 ? 'failure' : 'success',
    resource:
      rest.database?.name ?? rest.databucket?.name ?? resource?.name ?? resource?.uid ?? rest.dst_endpoint?.hostname,
    target: rest.table?.name ?? rest.resources?.[1]?.name,
    ip: rest.src_endpoint?.ip,
    country: rest.src_endpoint?.location?.country,
    device: rest.device?.uid ?? rest.device?.hostname ?? rest.src_endpoint?.uid,
    amount: rest.count,
  });
}

function kindOf(classUid: number, activityId: number, operation: string | undefined): ActivityKind {
  const said = BY_OPERATION.find(([pattern]) => operation !== undefined && pattern.test(operation));
  if (said !== undefined) return said[1];
  if (classUid === AUTHENTICATION) return 'login';
  if (PRIVILEGES.has(classUid)) return 'privilege';
  if (classUid === DATASTORE) return DATASTORE_KINDS[activityId] ?? 'other';
  if (classUid === API) return API_KINDS[activityId] ?? 'other';
  return 'other';
}
