/** What the local Okta knows: people, groups, rules and who is in what. In memory; gone when it stops. */
import { randomUUID } from 'node:crypto';

export interface OktaSeedUser {
  readonly id: string;
  readonly login: string;
  readonly email: string;
  readonly name: string;
  /** Default ACTIVE. */
  readonly status?: string;
}

export interface OktaSeedGroup {
  readonly id: string;
  readonly name: string;
  /** Default OKTA_GROUP. */
  readonly type?: 'OKTA_GROUP' | 'APP_GROUP' | 'BUILT_IN';
  /** User ids. */
  readonly members?: readonly string[];
}

/** Feeds nobody in by itself: whoever is in a rule's group when it is removed counts as fed by the rule. */
export interface OktaSeedRule {
  readonly id: string;
  readonly name: string;
  readonly status: 'ACTIVE' | 'INACTIVE' | 'INVALID';
  readonly groupIds: readonly string[];
}

export interface OktaUser extends Required<OktaSeedUser> {
  status: string;
}

export interface OktaGroupState {
  readonly id: string;
  readonly name: string;
  readonly type: 'OKTA_GROUP' | 'APP_GROUP' | 'BUILT_IN';
  /** In order of arrival; what holds. */
  readonly members: Set<string>;
}

export interface OktaRuleState extends OktaSeedRule {
  /** People removed from a group of the rule; it never puts them back. */
  readonly excluded: Set<string>;
}

/** Who did something, as the System Log says it. */
export interface OktaActor {
  readonly id: string;
  readonly type: 'User' | 'PublicClientApp';
  /** The API token it was done with; absent for the console and for service apps. */
  readonly apiTokenId?: string;
}

export interface OktaLogEvent {
  readonly uuid: string;
  readonly published: number;
  readonly eventType: 'group.user_membership.add' | 'group.user_membership.remove';
  readonly actor: OktaActor;
  readonly groupId: string;
  readonly groupName: string;
  readonly userId: string;
  readonly login: string;
}

/** Something that a person did in Okta. */
export interface OktaDeed {
  readonly uuid: string;
  /** When it happened; it is written down when it is told to the local Okta. */
  readonly published: number;
  readonly eventType: string;
  readonly userId: string;
  readonly login: string;
  /** Default SUCCESS. */
  readonly result?: string;
  readonly ip?: string;
  /** In words, as Okta says it. */
  readonly country?: string;
  readonly os?: string;
  /** What it was done to. */
  readonly target?: string;
}

/** An administrator in Okta's own console. */
const CONSOLE: OktaActor = { id: '00uconsoleadmin00000', type: 'User' };
/** As many as are of use to a test or to somebody who tries it. */
const LOG_MAX = 10_000;

export interface OktaLag {
  /** Reads show the old state for so long after a write. */
  readonly ms?: number;
  /** Or for so many reads after a write. */
  readonly reads?: number;
}

interface Shadow {
  readonly members: ReadonlySet<string>;
  until: number;
  readsLeft: number;
}

export class OktaState {
  readonly users = new Map<string, OktaUser>();
  readonly groups = new Map<string, OktaGroupState>();
  readonly rules: OktaRuleState[] = [];
  /** The System Log, oldest first. */
  readonly log: (OktaLogEvent | OktaDeed)[] = [];
  /** How often all sessions of a user were ended. */
  readonly signedOut = new Map<string, number>();
  lag: OktaLag = {};
  readonly #now: () => number;
  readonly #shadows = new Map<string, Shadow>();

  constructor(
    seed: {
      readonly users?: readonly OktaSeedUser[];
      readonly groups?: readonly OktaSeedGroup[];
      readonly rules?: readonly OktaSeedRule[];
    },
    now: () => number,
  ) {
    this.#now = now;
    for (const user of seed.users ?? []) this.addUser(user);
    for (const group of seed.groups ?? []) this.addGroup(group);
    for (const rule of seed.rules ?? []) this.rules.push({ ...rule, excluded: new Set() });
  }

  addUser(user: OktaSeedUser): void {
    this.users.set(user.id, { ...user, status: user.status ?? 'ACTIVE' });
  }

  addGroup(group: OktaSeedGroup): void {
    for (const id of group.members ?? []) if (!this.users.has(id)) throw new Error(`${group.id}: no user ${id}`);
    const type = group.type ?? 'OKTA_GROUP';
    this.groups.set(group.id, { id: group.id, name: group.name, type, members: new Set(group.members) });
  }

  /** By id, login, or short name, as Okta does. */
  user(key: string): OktaUser | undefined {
    const byId = this.users.get(key);
    if (byId !== undefined) return byId;
    const wanted = key.toLowerCase();
    const all = [...this.users.values()];
    const byLogin = all.find((user) => user.login.toLowerCase() === wanted);
    if (byLogin !== undefined) return byLogin;
    const short = all.filter((user) => user.login.toLowerCase().split('@')[0] === wanted);
    return short.length === 1 ? short[0] : undefined;
  }

  add(group: OktaGroupState, userId: string, by: OktaActor = CONSOLE): void {
    this.#cast(group);
    if (group.members.has(userId)) return;
    group.members.add(userId);
    this.#note('group.user_membership.add', group, userId, by);
  }

  remove(group: OktaGroupState, userId: string, by: OktaActor = CONSOLE): void {
    this.#cast(group);
    if (!group.members.delete(userId)) return;
    this.#note('group.user_membership.remove', group, userId, by);
    for (const rule of this.rules) {
      if (rule.status === 'ACTIVE' && rule.groupIds.includes(group.id)) rule.excluded.add(userId);
    }
  }

  /** As Okta does, takes the person out of all groups when the account is deactivated. */
  setStatus(user: OktaUser, status: string): void {
    user.status = status;
    if (status !== 'DEPROVISIONED') return;
    for (const group of this.groups.values()) if (group.type === 'OKTA_GROUP') group.members.delete(user.id);
  }

  /** What one read of this group shows; behind what holds while a lag lasts. */
  shown(group: OktaGroupState): ReadonlySet<string> {
    const shadow = this.#shadows.get(group.id);
    if (shadow === undefined) return group.members;
    if (shadow.readsLeft > 0) {
      shadow.readsLeft -= 1;
      return shadow.members;
    }
    if (shadow.until > this.#now()) return shadow.members;
    this.#shadows.delete(group.id);
    return group.members;
  }

  /** A person does something that has no effect here but an event in the log. */
  deed(user: OktaUser, told: Partial<OktaDeed> & Pick<OktaDeed, 'eventType'>): void {
    this.log.push({ uuid: randomUUID(), published: this.#now(), ...told, userId: user.id, login: user.login });
    if (this.log.length > LOG_MAX) this.log.shift();
  }

  #note(eventType: OktaLogEvent['eventType'], group: OktaGroupState, userId: string, actor: OktaActor): void {
    const login = this.users.get(userId)?.login ?? '';
    const published = this.#now();
    this.log.push({
      uuid: randomUUID(),
      published,
      eventType,
      actor,
      groupId: group.id,
      groupName: group.name,
      userId,
      login,
    });
    if (this.log.length > LOG_MAX) this.log.shift();
  }

  #cast(group: OktaGroupState): void {
    const { ms = 0, reads = 0 } = this.lag;
    if (ms === 0 && reads === 0) return;
    const held = this.#shadows.get(group.id)?.members ?? new Set(group.members);
    this.#shadows.set(group.id, { members: held, until: this.#now() + ms, readsLeft: reads });
  }
}
