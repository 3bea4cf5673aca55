/**
 * Memberships that Google ends by itself: an expiry on the MEMBER role, which only the Cloud Identity API knows, and only
 * some editions have. It signs in for itself, so that a scope that was not granted fails this and nothing else.
 */
import type { Instant } from '../access/model.ts';
import { type Clock, DirectoryError } from '../access/ports.ts';
import { isMissing, type Missing, processCanExpire, processExpiry, processMembershipName } from './google-answers.ts';
import { type AskParts, createAsk } from './google-ask.ts';
import { type CloudIdentity, identityLibrary } from './google-library.ts';
import { type Deadline, title } from './http.ts';

export const EXPIRY_SCOPE = 'https://www.googleapis.com/auth/cloud-identity.groups';

/** For so long nobody asks again whether the edition has it: each membership would ask. */
const UNAVAILABLE_MS = 60 * 60_000;
const SECOND_MS = 1_000;

export interface ExpiryParts extends Omit<AskParts<CloudIdentity>, 'open' | 'bucket'> {
  readonly clock: Clock;
  /** The person's present address; throws where there is no such person. */
  readonly addressOf: (userId: string, deadline: Deadline) => Promise<string>;
  /** A group's own address; throws where there is no such group. */
  readonly groupAddressOf: (groupId: string, deadline: Deadline) => Promise<string>;
}

export interface NativeExpiry {
  expireAt(
    groupId: string,
    userId: string,
    at: Instant | undefined,
    deadline: Deadline,
  ): Promise<'set' | 'unavailable'>;
  canExpire(groupId: string, deadline: Deadline): Promise<boolean>;
}

export function createNativeExpiry(parts: ExpiryParts): NativeExpiry {
  const { directory, clock } = parts;
  const ask = createAsk<CloudIdentity>({
    ...parts,
    bucket: 'cloud-identity',
    open: () => identityLibrary().then(({ cloudidentity }) => cloudidentity({ version: 'v1' })),
  });
  let unavailableUntil = Number.NEGATIVE_INFINITY;

  function missing(operation: string, { missing: what }: Missing): DirectoryError {
    const message = `${title({ directory, operation })}: the ${what === 'unsaid' ? 'membership' : what} does not exist`;
    return new DirectoryError(
      directory,
      'not_found',
      message,
      what === 'group' || what === 'user' ? { missing: what } : {},
    );
  }

  /** The membership by the name that Google gave it, and no other: its id is the member's. */
  async function nameOf(groupId: string, userId: string, deadline: Deadline): Promise<string> {
    const operation = 'find_membership';
    const address = await parts.addressOf(userId, deadline);
    const name = await ask(
      {
        operation,
        write: (api, lent) =>
          api.groups.memberships.lookup({ parent: `groups/${groupId}`, 'memberKey.id': address }, lent),
        read: (asked, answer) => processMembershipName(asked, answer, groupId, clock.now()),
      },
      deadline,
    );
    if (isMissing(name)) throw missing(operation, name);
    return name;
  }

  return {
    async expireAt(groupId, userId, at, deadline) {
      if (clock.monotonic() < unavailableUntil) return 'unavailable';
      const operation = 'set_expiry';
      const name = await nameOf(groupId, userId, deadline);
      // Whole seconds are all that Google keeps: rounded up, so that it never ends before it was asked to.
      const expireTime = at === undefined ? null : new Date(Math.ceil(at / SECOND_MS) * SECOND_MS).toISOString();
      const outcome = await ask(
        {
          operation,
          method: 'POST',
          write: (api, lent) =>
            api.groups.memberships.modifyMembershipRoles(
              {
                name,
                requestBody: {
                  updateRolesParams: [
                    {
                      fieldMask: 'expiryDetail.expireTime',
                      membershipRole: { name: 'MEMBER', expiryDetail: { expireTime } },
                    },
                  ],
                },
              },
              lent,
            ),
          read: (asked, answer) => processExpiry(asked, answer, expireTime, clock.now()),
        },
        deadline,
      );
      if (outcome === 'unavailable') unavailableUntil = clock.monotonic() + UNAVAILABLE_MS;
      else if (isMissing(outcome)) throw missing(operation, outcome);
      return outcome;
    },

    async canExpire(groupId, deadline) {
      const operation = 'check_edition';
      const address = await parts.groupAddressOf(groupId, deadline);
      const answer = await ask(
        {
          operation,
          // Nothing comes of it but the answer: the editions that may ask this are those that end memberships.
          write: (api, lent) =>
            api.groups.memberships.checkTransitiveMembership(
              { parent: `groups/${groupId}`, query: `member_key_id == '${address.replace(/['\\]/g, '\\$&')}'` },
              lent,
            ),
          read: (asked, said) => processCanExpire(asked, said, clock.now()),
        },
        deadline,
      );
      if (isMissing(answer)) throw missing(operation, answer);
      return answer;
    },
  };
}
