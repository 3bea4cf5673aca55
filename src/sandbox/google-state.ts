/** What the local Google knows: people, groups and who is in what, with which role and until when. In memory. */

import type { GoogleDeed } from './google-reports-api.ts';

export interface GoogleSeedUser {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly suspended?: boolean;
  readonly aliases?: readonly string[];
}

export interface GoogleSeedGroup {
  readonly id: string;
  readonly email: string;
  readonly aliases?: readonly string[];
  /** Ids of users, or of groups within the group. */
  readonly members?: readonly string[];
  /** Those of the members that are more than MEMBER. */
  readonly roles?: Readonly<Record<string, 'OWNER' | 'MANAGER'>>;
  /** Addresses that are invited and have not accepted. */
  readonly pending?: readonly string[];
  /** Filled by a query, so that nobody can be added by hand. */
  readonly dynamic?: boolean;
}

export interface GoogleUser extends Required<GoogleSeedUser> {
  email: string;
  suspended: boolean;
  aliases: readonly string[];
}

export interface GoogleMembership {
  readonly id: string;
  readonly role: string;
  /** Milliseconds since 1970; the membership ends by itself then. */
  readonly expiresAt?: number;
}

export interface GoogleGroup {
  readonly id: string;
  readonly email: string;
  readonly aliases: readonly string[];
  /** In order of arrival; what holds. */
  readonly members: Map<string, GoogleMembership>;
  readonly pending: Set<string>;
  readonly dynamic: boolean;
}

export interface GoogleLag {
  /** Reads show the old state for so long after a write. */
  readonly ms?: number;
  /** Or for so many reads after a write. */
  readonly reads?: number;
}

interface Shadow {
  readonly members: ReadonlyMap<string, GoogleMembership>;
  until: number;
  readsLeft: number;
}

export class GoogleState {
  readonly users = new Map<string, GoogleUser>();
  readonly groups = new Map<string, GoogleGroup>();
  /** What people did, as the reports tell it. */
  readonly deeds: GoogleDeed[] = [];
  lag: GoogleLag = {};
  readonly #now: () => number;
  readonly #shadows = new Map<string, Shadow>();

  constructor(
    seed: { readonly users?: readonly GoogleSeedUser[]; readonly groups?: readonly GoogleSeedGroup[] },
    now: () => number,
  ) {
    this.#now = now;
    for (const user of seed.users ?? [])
      this.users.set(user.id, { ...user, suspended: user.suspended ?? false, aliases: user.aliases ?? [] });
    for (const group of seed.groups ?? []) {
      const members = (group.members ?? []).map((id) => ({ id, role: group.roles?.[id] ?? 'MEMBER' }));
      this.groups.set(group.id, {
        id: group.id,
        email: group.email,
        aliases: group.aliases ?? [],
        members: new Map(members.map((member) => [member.id, member])),
        pending: new Set(group.pending),
        dynamic: group.dynamic ?? false,
      });
    }
    for (const group of this.groups.values())
      for (const id of group.members.keys())
        if (!this.users.has(id) && !this.groups.has(id)) throw new Error(`${group.email}: nobody has the id ${id}`);
  }

  now(): number {
    return this.#now();
  }

  /** By id, address or alias, as Google does. */
  user(key: string): GoogleUser | undefined {
    return this.users.get(key) ?? byAddress([...this.users.values()], key);
  }

  group(key: string): GoogleGroup | undefined {
    return this.groups.get(key) ?? byAddress([...this.groups.values()], key);
  }

  /** The domains of the account. */
  domains(): ReadonlySet<string> {
    const all = [...this.users.values(), ...this.groups.values()];
    return new Set(all.map(({ email }) => email.slice(email.indexOf('@') + 1).toLowerCase()));
  }

  /** What holds. Memberships that have run out are gone. */
  members(group: GoogleGroup): ReadonlyMap<string, GoogleMembership> {
    for (const member of group.members.values())
      if (member.expiresAt !== undefined && member.expiresAt <= this.#now()) group.members.delete(member.id);
    return group.members;
  }

  put(group: GoogleGroup, member: GoogleMembership): void {
    this.#cast(group);
    group.members.set(member.id, member);
  }

  remove(group: GoogleGroup, id: string): void {
    this.#cast(group);
    group.members.delete(id);
  }

  /** What one read of this group shows; behind what holds while a lag lasts. */
  shown(group: GoogleGroup): ReadonlyMap<string, GoogleMembership> {
    const shadow = this.#shadows.get(group.id);
    if (shadow === undefined) return this.members(group);
    if (shadow.readsLeft > 0) {
      shadow.readsLeft -= 1;
      return shadow.members;
    }
    if (shadow.until > this.#now()) return shadow.members;
    this.#shadows.delete(group.id);
    return this.members(group);
  }

  /** Whether the member is in the group, directly or through groups within it. */
  within(group: GoogleGroup, id: string, seen: ReadonlySet<string> = new Set()): boolean {
    if (seen.has(group.id)) return false;
    const members = this.members(group);
    if (members.has(id)) return true;
    const path = new Set([...seen, group.id]);
    return [...members.keys()].some((each) => {
      const inner = this.groups.get(each);
      return inner !== undefined && this.within(inner, id, path);
    });
  }

  #cast(group: GoogleGroup): void {
    const { ms = 0, reads = 0 } = this.lag;
    if (ms === 0 && reads === 0) return;
    const held = this.#shadows.get(group.id)?.members ?? new Map(this.members(group));
    this.#shadows.set(group.id, { members: held, until: this.#now() + ms, readsLeft: reads });
  }
}

function byAddress<T extends { readonly email: string; readonly aliases: readonly string[] }>(
  all: readonly T[],
  key: string,
): T | undefined {
  const wanted = key.toLowerCase();
  return all.find(({ email, aliases }) => [email, ...aliases].some((one) => one.toLowerCase() === wanted));
}
