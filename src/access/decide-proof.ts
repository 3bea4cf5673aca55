/**
 * Where a policy wants it, nothing is done before whoever asked has proven at the issuer who they are. The proof is
 * asked for when everything else would let it be done, and the click after the sign-in decides it all afresh.
 */
import type { ProvenCommand, Refusal } from './command.ts';
import { isMachine } from './decide-session.ts';
import { event, personActor, putRequest, type Refused, refused, showEverywhere, timer, timerId } from './decision.ts';
import type {
  AccessRequest,
  AccountRef,
  Actor,
  Caller,
  Change,
  Entitlement,
  Instant,
  Person,
  PersonId,
  PinnedGroup,
  Proof,
  ProofFailure,
  ProofPurpose,
} from './model.ts';

/** From asking to the click. */
export const PROOF_LIFE_MS = 300_000;
/** That one person may have open at a time. */
export const PROOFS_MOST = 5;

/** What asking for a proof takes. */
export interface Proving {
  readonly newId: string;
  readonly link: (id: string) => string;
  readonly by: Caller;
  readonly command: ProvenCommand;
  /** The person's own that are neither used nor failed; `PROOFS_MOST` or more when there may be others. */
  readonly open: readonly Proof[];
  /** The one whose click is being decided. */
  readonly given?: Proof;
}

/** `later`: it is only looked what would come of it. Absent: there is no issuer, so nobody can prove anything. */
export type ProvingFact = Proving | 'later' | undefined;

export interface Provable {
  readonly purpose: ProofPurpose;
  readonly person: Person;
  readonly entitlement: Entitlement;
  readonly digest: string;
  /** For an approval. */
  readonly request?: AccessRequest;
  readonly correlation?: string;
}

/** What goes with what is done: nothing where no proof is wanted. */
export interface Proven {
  readonly changes: readonly Change[];
  readonly proof?: string;
}

/** Over what an asking is about; its own text is in the command, which is kept with it. */
export function askingDigest(
  asked: {
    readonly purpose: ProofPurpose;
    readonly person: Person;
    readonly entitlement: Entitlement;
    readonly groups: readonly PinnedGroup[];
    readonly extends?: string;
  },
  hash: (text: string) => string,
): string {
  const { purpose, person, entitlement, groups } = asked;
  const pinned = groups.map(({ directory, groupId }) => [directory, groupId]);
  return hash(
    JSON.stringify([purpose, person.id, entitlement.id, pinned, entitlement.policy.hash, asked.extends ?? null]),
  );
}

export function isWanted({ policy }: Entitlement, purpose: ProofPurpose): boolean {
  return (purpose === 'approve' ? policy.proof?.approve : policy.proof?.request) !== undefined;
}

/** To be asked last, of what would otherwise be done. */
export function prove(about: Provable, proving: ProvingFact, now: Instant): Proven | Refused {
  const given = typeof proving === 'object' ? proving.given : undefined;
  if (given !== undefined) return used(askedBy(about), given, now);
  if (!isWanted(about.entitlement, about.purpose) || proving === 'later') return { changes: [] };
  if (isMachine(about.person)) return refused({ code: 'person_needed' });
  if (proving === undefined)
    return refused({ code: 'cannot_check', what: 'who you are', error: 'no issuer is configured' });
  return asks(askedBy(about), proving, now);
}

/** A chat account of nobody's: whose it is to be shows when its person signs in. */
export function askLink(
  account: AccountRef,
  name: string,
  digest: string,
  proving: Proving,
  correlation: { readonly correlation?: string },
  now: Instant,
): Refused {
  const who = { id: linkHolder(account), name };
  return asks(
    { purpose: 'link', who, by: { kind: 'account', account }, entitlement: '', digest, ...correlation },
    proving,
    now,
  );
}

export function useLink(
  person: Person,
  digest: string,
  given: Proof,
  correlation: { readonly correlation?: string },
  now: Instant,
): Proven | Refused {
  return used(
    { purpose: 'link', who: person, by: personActor(person), entitlement: '', digest, ...correlation },
    given,
    now,
  );
}

/** In place of a person, until one has signed in. */
export function linkHolder({ platform, tenant, id }: AccountRef): PersonId {
  return `account ${platform}:${tenant}/${id}`;
}

interface Asked extends Pick<Provable, 'purpose' | 'digest' | 'request' | 'correlation'> {
  readonly who: { readonly id: PersonId; readonly name: string };
  readonly by: Actor;
  readonly entitlement: string;
}

function askedBy(about: Provable): Asked {
  const { person, entitlement, ...rest } = about;
  return { ...rest, who: person, by: personActor(person), entitlement: entitlement.id };
}

function used(about: Asked, given: Proof, now: Instant): Proven | Refused {
  const { who, purpose, digest, request } = about;
  if (given.person !== who.id || given.purpose !== purpose || given.digest !== digest)
    return refused({ code: 'proof_over', why: 'changed' });
  return {
    proof: given.id,
    changes: [
      ...closed(given, { state: 'used' }),
      event('proof.given', now, about.by, {
        ...(request === undefined ? {} : { requestId: request.id }),
        detail: { ...detailOf(given), ...saidOf(given) },
        ...correlationOf(about),
      }),
    ],
  };
}

function asks(about: Asked, proving: Proving, now: Instant): Refused {
  const { who, purpose, entitlement, digest, request } = about;
  const older = proving.open.filter((one) => one.purpose === purpose && one.digest === digest);
  if (proving.open.length - older.length >= PROOFS_MOST)
    return refused({ code: 'too_many_requests', most: PROOFS_MOST });
  const proof: Proof = {
    id: proving.newId,
    version: 1,
    state: 'open',
    purpose,
    person: who.id,
    personName: who.name,
    by: proving.by,
    command: proving.command,
    entitlement,
    ...(request === undefined ? {} : { requestId: request.id }),
    digest,
    createdAt: now,
    expiresAt: now + PROOF_LIFE_MS,
  };
  const until = proof.expiresAt;
  const shown = request === undefined ? [] : shows(request, [{ person: who.id, name: who.name, until }], proof, now);
  return refused({ code: 'proof_needed', purpose, entitlement, link: proving.link(proof.id), until }, undefined, [
    ...older.flatMap((one) => closed(one, { state: 'failed', failed: 'superseded' })),
    { put: 'proof', row: proof },
    timer({ ring: 'proof', proofId: proof.id }, until),
    event('proof.asked', now, about.by, {
      ...(request === undefined ? {} : { requestId: request.id }),
      detail: { ...detailOf(proof), expiresAt: until },
      ...correlationOf(about),
    }),
    ...shown,
  ]);
}

/** Whether the click may decide anything; `sealHash`: of what the clicking browser holds. */
export function mayConfirm(proof: Proof | undefined, sealHash: string, now: Instant): Refusal | undefined {
  const over = (why: Extract<Refusal, { code: 'proof_over' }>['why']): Refusal => ({ code: 'proof_over', why });
  if (proof === undefined) return over('expired');
  if (proof.state === 'used') return over('used');
  if (proof.state === 'failed') return over(proof.failed === 'expired' ? 'expired' : 'failed');
  if (now >= proof.expiresAt) return over('expired');
  if (proof.state !== 'signed_in' || proof.seal !== sealHash || proof.command === undefined) return over('elsewhere');
  return now > (proof.freshUntil ?? 0) ? over('stale') : undefined;
}

/** What came of a sign-in. */
export interface SignInFound {
  /** Whose it is; absent when it is nobody's that the directory knows. */
  readonly person?: PersonId;
  readonly personName?: string;
  /** What it lacks to be a proof; absent: nothing. */
  readonly lacks?: string;
  readonly freshUntil?: Instant;
  readonly authAt?: Instant;
  readonly acr?: string;
  readonly amr: readonly string[];
  readonly sealHash: string;
}

/** The proof as it stands after a sign-in; `undefined`: it was over before. `request`: the one to be approved. */
export function decideSignedIn(
  proof: Proof,
  found: SignInFound,
  request: AccessRequest | undefined,
  now: Instant,
): { readonly proof: Proof; readonly changes: readonly Change[] } | undefined {
  if ((proof.state !== 'open' && proof.state !== 'signed_in') || now >= proof.expiresAt) return undefined;
  const said = {
    ...(found.authAt === undefined ? {} : { authAt: found.authAt }),
    ...(found.acr === undefined ? {} : { acr: found.acr }),
    amr: found.amr,
  };
  // Whose an account is to be, its own sign-in says.
  const expected = proof.purpose === 'link' ? found.person : proof.person;
  const why =
    found.person === undefined || found.person !== expected
      ? 'wrong_person'
      : found.lacks !== undefined
        ? 'too_weak'
        : undefined;
  if (why !== undefined) {
    const detail = {
      ...(why === 'wrong_person' ? { signedInAs: found.person ?? null } : {}),
      ...(found.lacks === undefined ? {} : { lacks: found.lacks }),
    };
    const failed = { ...proof, ...said };
    return { proof: { ...failed, state: 'failed', failed: why }, changes: fails(failed, why, request, now, detail) };
  }
  const row: Proof = {
    ...proof,
    ...said,
    version: proof.version + 1,
    ...(proof.purpose === 'link' && found.person !== undefined
      ? { person: found.person, personName: found.personName ?? proof.personName }
      : {}),
    state: 'signed_in',
    seal: found.sealHash,
    signedInAt: now,
    ...(found.freshUntil === undefined ? {} : { freshUntil: found.freshUntil }),
  };
  return { proof: row, changes: [{ put: 'proof', row, was: proof.version }] };
}

/** Nobody clicked in time. */
export function ringProof(
  proof: Proof | undefined,
  request: AccessRequest | undefined,
  now: Instant,
): readonly Change[] | { readonly dueAt: Instant } {
  if (proof === undefined || (proof.state !== 'open' && proof.state !== 'signed_in')) return [];
  if (now < proof.expiresAt) return { dueAt: proof.expiresAt };
  return fails(proof, 'expired', request, now, {});
}

function fails(
  proof: Proof,
  why: ProofFailure,
  request: AccessRequest | undefined,
  now: Instant,
  detail: { readonly [key: string]: string | null },
): readonly Change[] {
  return [
    ...closed(proof, { state: 'failed', failed: why }),
    event(
      'proof.failed',
      now,
      { kind: 'hallpass', part: 'proof' },
      {
        ...(proof.requestId === undefined ? {} : { requestId: proof.requestId }),
        detail: { ...detailOf(proof), ...saidOf(proof), why, ...detail },
      },
    ),
    ...(request?.state === 'pending' ? shows(request, [], proof, now) : []),
  ];
}

/** The request's messages say who has yet to confirm; `now` in place of whatever was said of this person. */
function shows(
  request: AccessRequest,
  confirming: NonNullable<AccessRequest['confirming']>,
  { person }: Proof,
  now: Instant,
): readonly Change[] {
  const others = stillConfirming(request, now).filter((one) => one.person !== person);
  const { row, change } = putRequest(request, { confirming: [...others, ...confirming] });
  return [change, ...showEverywhere(row, now)];
}

export function stillConfirming(request: AccessRequest, now: Instant): NonNullable<AccessRequest['confirming']> {
  return (request.confirming ?? []).filter(({ until }) => now < until);
}

/** What somebody wrote is kept no longer than it is needed. */
function closed(proof: Proof, end: Pick<Proof, 'state' | 'failed'>): readonly Change[] {
  const { command: _, seal: __, ...kept } = proof;
  return [
    { put: 'proof', row: { ...kept, ...end, version: proof.version + 1 }, was: proof.version },
    { drop: 'job', id: timerId({ ring: 'proof', proofId: proof.id }) },
  ];
}

function detailOf({ id, purpose, person, entitlement, digest }: Proof) {
  return { proof: id, purpose, person, entitlement, digest };
}

function saidOf({ authAt, acr, amr }: Proof) {
  return { authAt: authAt ?? null, acr: acr ?? null, amr: [...(amr ?? [])] };
}

function correlationOf({ correlation }: Asked): { readonly correlation?: string } {
  return correlation === undefined ? {} : { correlation };
}
