/** Between rows and the domain's records: null becomes absent, JSON text becomes lists. */
import type { Finding, GrantActivity, Use } from '../access/activity.ts';
import type { DigestView } from '../access/digest-view.ts';
import type {
  AccessRequest,
  AccountRef,
  Approval,
  Card,
  Device,
  DigestRecord,
  Drift,
  Freeze,
  Grant,
  Job,
  Membership,
  MembershipKey,
  PinnedGroup,
  Proof,
  Review,
  ReviewRule,
  Revocation,
  Session,
  TiedIncident,
  Workload,
} from '../access/model.ts';
import type { ChainLink, KeptAnswer, LeasedJob, MessageRow, Place } from '../access/ports.ts';
import type { Tables } from './schema.ts';

type RowOf<T extends keyof Tables> = Tables[T]['$inferSelect'];

export type Values = Readonly<Record<string, string | number | null>>;

type Present<R> = { [K in keyof R as null extends R[K] ? never : K]: R[K] } & {
  [K in keyof R as null extends R[K] ? K : never]?: NonNullable<R[K]>;
};

/** Absent is absent: a record with `expiresAt: undefined` is another record to whoever compares or spreads it. */
function present<R extends object>(row: R): Present<R> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as Present<R>;
}

const parse = <T>(text: string): T => JSON.parse(text) as T;
const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

export function toRequest(row: RowOf<'requests'>): AccessRequest {
  const {
    requesterAccount,
    workload,
    onBehalfOf: _,
    users,
    groups,
    asking,
    confirming,
    incident,
    audiences,
    ...plain
  } = row;
  return {
    ...present(plain),
    ...(requesterAccount === null ? {} : { requesterAccount: parse<AccountRef>(requesterAccount) }),
    ...(workload === null ? {} : { workload: parse<Workload>(workload) }),
    users: parse<AccessRequest['users']>(users),
    groups: parse<AccessRequest['groups']>(groups),
    ...(asking === null ? {} : { asking: parse<NonNullable<AccessRequest['asking']>>(asking) }),
    ...(confirming === null ? {} : { confirming: parse<NonNullable<AccessRequest['confirming']>>(confirming) }),
    ...(incident === null ? {} : { incident: parse<TiedIncident>(incident) }),
    audiences: parse<AccessRequest['audiences']>(audiences),
  };
}

export function fromRequest(request: AccessRequest): object {
  return {
    ...request,
    requesterAccount: json(request.requesterAccount),
    workload: json(request.workload),
    onBehalfOf: request.workload?.onBehalfOf?.person ?? null,
    users: json(request.users),
    groups: json(request.groups),
    asking: json(request.asking),
    confirming: json(request.confirming),
    incident: json(request.incident),
    audiences: json(request.audiences),
  };
}

export const toApproval = (row: RowOf<'approvals'>): Approval => present(row);
export const toCard = (row: RowOf<'cards'>): Card => row;
export function toFreeze(row: RowOf<'freezes'>): Freeze {
  const { scope, except, ...plain } = row;
  return {
    ...present(plain),
    scope: parse<Freeze['scope']>(scope),
    ...(except === null ? {} : { except: parse<NonNullable<Freeze['except']>>(except) }),
  };
}

export const fromFreeze = (freeze: Freeze): object => ({
  ...freeze,
  scope: json(freeze.scope),
  except: json(freeze.except),
});

export function toSession({ scopes, amr, workload, ...row }: RowOf<'sessions'>): Session {
  return {
    ...present(row),
    scopes: parse<Session['scopes']>(scopes),
    ...(amr === null ? {} : { amr: parse<NonNullable<Session['amr']>>(amr) }),
    ...(workload === null ? {} : { workload: parse<Workload>(workload) }),
  };
}

export const fromSession = (session: Session): object => ({
  ...session,
  scopes: json(session.scopes),
  amr: json(session.amr),
  workload: json(session.workload),
});

export const toKeptAnswer = (row: RowOf<'keptAnswers'>): KeptAnswer => present(row);
export function toDevice({ amr, ...row }: RowOf<'devices'>): Device {
  return { ...present(row), ...(amr === null ? {} : { amr: parse<NonNullable<Device['amr']>>(amr) }) };
}

export const fromDevice = (device: Device): object => ({ ...device, amr: json(device.amr) });

export function toProof({ content, ...row }: RowOf<'proofs'>): Proof {
  return { ...parse<Omit<Proof, keyof typeof row>>(content), ...row };
}

export function fromProof(proof: Proof): object {
  const { id, version, state, person, createdAt, ...content } = proof;
  return { id, version, state, person, createdAt, content: JSON.stringify(content) };
}

export function toReview({ reviewers, tell, ...row }: RowOf<'reviews'>): Review {
  return {
    ...present(row),
    reviewers: parse<Review['reviewers']>(reviewers),
    tell: parse<Review['tell']>(tell),
  };
}

export const fromReview = (review: Review): object => ({
  ...review,
  reviewers: json(review.reviewers),
  tell: json(review.tell),
});

/** Those columns of its own; everything else of it is in `content`. */
export function toRevocation({ content, ...row }: RowOf<'revocations'>): Revocation {
  return { ...parse<Omit<Revocation, keyof typeof row>>(content), ...present(row) };
}

export function fromRevocation(revocation: Revocation): object {
  const { id, version, state, createdAt, confirmedAt, doneAt, ...content } = revocation;
  return { id, version, state, createdAt, confirmedAt, doneAt, content: JSON.stringify(content) };
}

/** As of a revocation: what is asked for is a column, and the rest of it is in `content`. */
export function toActivity({ content, ...row }: RowOf<'activities'>): GrantActivity {
  return { ...parse<Omit<GrantActivity, keyof typeof row>>(content), ...row };
}

/** In the order of the table's columns. */
export function fromActivity(activity: GrantActivity): readonly (string | number)[] {
  const { source, uid, grantId, fit, kind, at, receivedAt, ...content } = activity;
  return [source, uid, grantId, fit, kind, at, receivedAt, JSON.stringify(content)];
}

export function toUse({ content, ...row }: RowOf<'grantUses'>): Use {
  return { ...parse<Omit<Use, keyof typeof row>>(content), ...row };
}

/** In the order of the table's columns. */
export function fromUse({ grantId, version, person, firstAt, ...content }: Use): readonly (string | number)[] {
  return [grantId, version, person, firstAt, JSON.stringify(content)];
}

export function toFinding({ content, ...row }: RowOf<'findings'>): Finding {
  return { ...parse<Omit<Finding, keyof typeof row>>(content), ...row };
}

export function fromFinding({ id, version, state, grantId, rule, createdAt, ...content }: Finding): object {
  return { id, version, state, grantId, rule, createdAt, content: JSON.stringify(content) };
}

export function toDigest(row: RowOf<'digests'>): DigestRecord {
  const { view, ...plain } = row;
  return { ...present(plain), ...(view === null ? {} : { view: parse<DigestView>(view) }) };
}

export const fromDigest = (digest: DigestRecord): object => ({ ...digest, view: json(digest.view) });

export const toMessage = (row: RowOf<'messages'>): MessageRow => present(row);

export const toPlace = (row: RowOf<'places'>): Place => present(row);

export function toGrant(row: RowOf<'grants'>): Grant {
  const { memberships, extending, incident, review, signedOut, ...plain } = row;
  return {
    ...present(plain),
    ...(extending === null ? {} : { extending: parse<NonNullable<Grant['extending']>>(extending) }),
    ...(incident === null ? {} : { incident: parse<TiedIncident>(incident) }),
    ...(signedOut === null ? {} : { signedOut: parse<NonNullable<Grant['signedOut']>>(signedOut) }),
    ...(review === null ? {} : { review: parse<ReviewRule>(review) }),
    memberships: parse<readonly MembershipKey[]>(memberships),
  };
}

export const fromGrant = (grant: Grant): object => ({
  ...grant,
  extending: json(grant.extending),
  signedOut: json(grant.signedOut),
  incident: json(grant.incident),
  review: json(grant.review),
  memberships: json(grant.memberships),
});

export function toMembership(row: RowOf<'memberships'>): Membership {
  const { directory, groupId, userId, ...plain } = row;
  return { ...present(plain), key: { directory, groupId, userId } };
}

export const fromMembership = ({ key, ...plain }: Membership): object => ({ ...plain, ...fromKey(key) });

export function toDrift(row: RowOf<'drifts'>): Drift {
  const { directory, groupId, userId, ...plain } = row;
  return { ...plain, key: { directory, groupId, userId } };
}

export const fromDrift = ({ key, ...plain }: Drift): object => ({ ...plain, ...fromKey(key) });

export const fromKey = (key: MembershipKey): Values => ({
  directory: key.directory,
  groupId: key.groupId,
  userId: key.userId,
});

export function fromJob(job: Job): Values {
  const { id, kind, lane, priority, dueAt, payload } = job;
  return { id, kind, lane, priority, dueAt, payload: JSON.stringify(payload) };
}

/** A row that a lease has just returned, so that its `leaseUntil` is set. */
export function toLeasedJob(row: RowOf<'jobs'>): LeasedJob {
  const { payload, leaseUntil, lastError: _, ...plain } = row;
  // The payload was put as this kind's: the pair cannot be told apart by type, only by its history.
  return { ...plain, leaseUntil: leaseUntil ?? 0, payload: parse(payload) } as LeasedJob;
}

export function toAccount(row: RowOf<'accountPins'>): AccountRef {
  return { platform: row.platform, tenant: row.tenant, id: row.accountId };
}

export function toPinnedGroup(row: RowOf<'groupPins'>): PinnedGroup {
  return { directory: row.directory, groupId: row.groupId, groupName: row.groupName };
}

export function toLink(row: ChainLink): ChainLink {
  return { seq: row.seq, prevHash: row.prevHash, hash: row.hash, canonical: row.canonical };
}
