/** The trail as it is looked through: what happened, in words, for those who answer for it. */
import type { Sources } from './gather.ts';
import type { Shelf } from './home.ts';
import type { Caller, Instant, Person, PinnedGroup } from './model.ts';
import { reviewsToSign } from './overview.ts';
import type { Checkpoint, Clock, DigestStore, TrailEvent, TrailFilter, TrailStore } from './ports.ts';
import type { ReviewView } from './review-view.ts';
import { type Rights, rightsOf } from './rights.ts';
import { type StoryLine, storyOf } from './story.ts';

/** Kinds of event by what they are about; for choosing among them. */
export const TOPICS: Readonly<Record<string, { readonly title: string; readonly kinds: readonly string[] }>> = {
  requests: {
    title: 'Requests',
    kinds: [
      'request.made',
      'extension.requested',
      'request.refused',
      'request.approved',
      'request.denied',
      'request.cancelled',
      'request.lapsed',
      'request.withdrawn',
    ],
  },
  answers: {
    title: 'Approvals and denials',
    kinds: [
      'proof.asked',
      'proof.given',
      'proof.failed',
      'approval.given',
      'approval.refused',
      'request.approved',
      'request.denied',
    ],
  },
  grants: {
    title: 'Grants',
    kinds: [
      'grant.started',
      'grant.activated',
      'grant.extension_approved',
      'grant.extended',
      'grant.expired',
      'grant.revoked',
      'grant.returned',
      'grant.abandoned',
      'grant.removed_outside',
      'grant.signed_out',
      'grant.sign_out_failed',
      'grant.ended',
    ],
  },
  directory: {
    title: 'Changes in a directory',
    kinds: [
      'membership.added',
      'membership.addition_failed',
      'membership.addition_refused',
      'membership.addition_unknown',
      'membership.removed',
      'membership.removal_failed',
      'membership.proven_absent',
      'membership.adopted',
      'membership.resolved',
      'drift.found',
      'drift.over',
    ],
  },
  emergency: {
    title: 'Emergencies',
    kinds: [
      'break_glass.used',
      'break_glass.refused',
      'grant.revoked',
      'revocation.confirmed',
      'revocation.proven',
      'revocation.refused',
      'freeze.made',
      'freeze.lifted',
      'freeze.refused',
    ],
  },
  reviews: {
    title: 'Reviews',
    kinds: [
      'review.opened',
      'review.signed_off',
      'review.questioned',
      'review.refused',
      'digest.posted',
      'digest.signed_off',
      'digest.sign_refused',
    ],
  },
  findings: {
    title: 'Findings',
    kinds: [
      'finding.opened',
      'finding.asked',
      'finding.explained',
      'finding.dismissed',
      'finding.revoked',
      'finding.refused',
    ],
  },
  refusals: {
    title: 'Refusals',
    kinds: [
      'request.refused',
      'approval.refused',
      'revocation.refused',
      'freeze.refused',
      'break_glass.refused',
      'adoption.refused',
      'review.refused',
      'finding.refused',
      'digest.sign_refused',
    ],
  },
  rules: {
    title: 'Configuration, sessions and identities',
    kinds: [
      'policy.changed',
      'config.loaded',
      'config.refused',
      'session.began',
      'session.ended',
      'device.confirmed',
      'device.denied',
      'identity.disputed',
      'identity.forgotten',
      'trail.exported',
    ],
  },
};

export interface TrailPage {
  readonly person: Person;
  readonly rights: Rights;
  readonly zone: string;
  readonly at: Instant;
  /** Absent: this person may not read the trail. */
  readonly found?: {
    /** Newest first. */
    readonly lines: readonly (StoryLine & { readonly link: TrailEvent })[];
    /** Where the next page begins; absent when there is none. */
    readonly beforeSeq?: number;
  };
  readonly head?: { readonly seq: number; readonly hash: string };
  readonly checkpoint?: Checkpoint;
  /** Post-access reviews that this person may make. */
  readonly reviews: Shelf<ReviewView>;
  /** Days whose digest nobody has signed, oldest first. */
  readonly unsigned: readonly string[];
}

export type TrailWish = Omit<TrailFilter, 'limit'>;

export interface TrailSearchParts extends Pick<Sources, 'store' | 'people' | 'catalog'> {
  readonly trail: Pick<TrailStore, 'searchEvents' | 'chainHead' | 'lastCheckpoint'>;
  readonly digests: Pick<DigestStore, 'unsignedDigests'>;
  readonly review: (id: string) => Promise<ReviewView | undefined>;
  readonly clock: Clock;
}

const PAGE = 50;
const UNSIGNED_MAX = 14;

export function createTrailSearch(parts: TrailSearchParts): (by: Caller, wish: TrailWish) => Promise<TrailPage> {
  const { store, people, catalog, trail, digests, clock } = parts;

  /** An event holds only the ids of groups. */
  async function groupsOf(events: readonly TrailEvent[]): Promise<readonly PinnedGroup[]> {
    const named = events.flatMap(({ event }) => (event.membership === undefined ? [] : [event.requestId ?? '']));
    const records = await Promise.all([...new Set(named)].map((id) => store.request(id)));
    return records.flatMap((record) => record?.request.groups ?? []);
  }

  return async (by, wish) => {
    const person = await people.identify(by);
    const rights = await rightsOf(parts, person);
    const zone = person.zone ?? catalog().timezone;
    const reviews = await reviewsToSign(parts, person);
    const page = { person, rights, zone, at: clock.now(), reviews, unsigned: [] };
    if (!rights.audits) return page;
    const [events, head, checkpoint, days] = await Promise.all([
      trail.searchEvents({ ...wish, limit: PAGE + 1 }),
      trail.chainHead(),
      trail.lastCheckpoint(),
      digests.unsignedDigests(UNSIGNED_MAX),
    ]);
    const shown = events.slice(0, PAGE);
    const last = shown.at(-1);
    const groups = await groupsOf(shown);
    return {
      ...page,
      found: {
        lines: shown.flatMap((link) => storyOf([link.event], groups, zone).map((line) => ({ ...line, link }))),
        ...(events.length > PAGE && last !== undefined ? { beforeSeq: last.seq } : {}),
      },
      head,
      unsigned: days.map(({ day }) => day),
      ...(checkpoint === undefined ? {} : { checkpoint }),
    };
  };
}
