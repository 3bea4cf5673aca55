/** Slack's own record of its people, and what of it we believe: a field that is missing never speaks for anybody. */
import type { AccountRef } from '../../access/model.ts';
import { type AccountFacts, type Accounts, MessengerError } from '../../access/ports.ts';
import type { Identity } from './identity.ts';
import { field, slackCode, textField, type Web } from './web.ts';

/** Of which no API says that it is a bot. */
const SLACKBOT = 'USLACKBOT';

export function createAccounts(web: Web, identity: () => Identity | undefined): Accounts {
  const known = (): Identity => {
    const found = identity();
    // Without knowing our own workspace nobody can be told from a stranger.
    if (found === undefined) throw new MessengerError('unavailable', 'Slack has not told yet which workspace this is');
    return found;
  };

  async function absentIf<T>(codes: readonly string[], call: Promise<T>): Promise<T | undefined> {
    try {
      return await call;
    } catch (error) {
      if (codes.includes(slackCode(error) ?? '')) return undefined;
      throw error;
    }
  }

  return {
    async lookup(account) {
      const us = known();
      if (account.platform !== 'slack' || !/^[UW][A-Z0-9]{1,31}$/.test(account.id)) return undefined;
      const answer = await absentIf(
        ['user_not_found', 'user_not_visible'],
        web.call('users.info', { user: account.id }),
      );
      const facts = answer === undefined ? undefined : readUser(answer.user, us);
      if (facts === undefined) return undefined;
      // The click said one workspace and Slack says another: an account of both is an account of neither.
      const elsewhere = !us.workspaces.includes(account.tenant);
      return { ...facts, account, foreign: facts.foreign || elsewhere };
    },
    async byEmail(email) {
      const us = known();
      const answer = await absentIf(['users_not_found'], web.call('users.lookupByEmail', { email }));
      return answer === undefined ? undefined : readUser(answer.user, us);
    },
    async groupMembers(group) {
      const us = known();
      const team = us.isEnterpriseInstall ? {} : { team_id: us.team };
      const answer = await web.call('usergroups.users.list', { usergroup: group, ...team });
      const users = answer.users;
      if (!Array.isArray(users))
        throw new MessengerError('unavailable', 'Slack usergroups.users.list: no users in the answer');
      return users
        .filter((id): id is string => typeof id === 'string')
        .map((id): AccountRef => ({ platform: 'slack', tenant: us.team, id }));
    },
  };
}

/**
 * A user object as facts. Guests and bots are whoever Slack does not plainly say are neither; a confirmed email is one
 * that Slack says is confirmed; a person without a workspace we know is foreign.
 */
export function readUser(user: unknown, us: Identity): AccountFacts | undefined {
  const id = textField(user, 'id');
  if (id === undefined) return undefined;
  const profile = field(user, 'profile');
  const enterpriseUser = field(user, 'enterprise_user');
  const home = textField(user, 'team_id');
  const team = homeTeam(home, field(enterpriseUser, 'teams'), us);
  const email = textField(profile, 'email');
  const zone = textField(user, 'tz');
  return {
    account: { platform: 'slack', tenant: team ?? home ?? '', id },
    name: textField(profile, 'real_name') ?? textField(user, 'real_name') ?? textField(user, 'name') ?? id,
    ...(email === undefined ? {} : { email }),
    emailConfirmed: field(user, 'is_email_confirmed') === true,
    ...(zone === undefined ? {} : { zone }),
    deleted: field(user, 'deleted') !== false,
    bot: id === SLACKBOT || field(user, 'is_bot') !== false,
    guest: field(user, 'is_restricted') !== false || field(user, 'is_ultra_restricted') === true,
    foreign: team === undefined || field(user, 'is_stranger') === true || field(user, 'is_invited_user') === true,
  };
}

/** The workspace of ours that the person belongs to; in an organisation it need not be the one they were created in. */
function homeTeam(home: string | undefined, teams: unknown, us: Identity): string | undefined {
  if (home !== undefined && us.workspaces.includes(home)) return home;
  if (us.enterprise === undefined || !Array.isArray(teams)) return undefined;
  return teams.find((team): team is string => typeof team === 'string' && us.workspaces.includes(team));
}
