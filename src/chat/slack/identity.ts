/** Who we are in Slack, learnt in the background: Slack being down must not keep Hallpass from removing access. */
import type { Log } from './log.ts';
import { said } from './log.ts';
import { field, textField, type Web } from './web.ts';

export interface Identity {
  readonly team: string;
  readonly teamName?: string;
  readonly enterprise?: string;
  readonly isEnterpriseInstall: boolean;
  readonly botUserId?: string;
  readonly appId?: string;
  /** Team ids whose people we act for. */
  readonly workspaces: readonly string[];
}

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

export interface IdentityFinder {
  readonly found: Identity | undefined;
  /** Why it is not found; absent before the first try and once found. */
  readonly error: string | undefined;
  /** Starts asking, and asks again, more slowly, until it is told. */
  start(): void;
  stop(): void;
  /** Resolves at the first success. */
  readonly ready: Promise<Identity>;
}

export function createIdentity(web: Web, workspaces: readonly string[] | undefined, logger: Log): IdentityFinder {
  let found: Identity | undefined;
  let error: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let started = false;
  let stopped = false;
  let resolve: (identity: Identity) => void = () => {};
  const ready = new Promise<Identity>((done) => {
    resolve = done;
  });

  async function ask(waitMs: number): Promise<void> {
    try {
      found = read(await web.call('auth.test', {}), workspaces);
      error = undefined;
      logger.info({ team: found.team, app: found.appId }, 'connected to Slack');
      resolve(found);
    } catch (failure) {
      error = said(failure);
      logger.warn({ error, retryMs: waitMs }, 'Slack does not answer who we are');
      if (!stopped) timer = setTimeout(() => void ask(Math.min(waitMs * 2, LAST_RETRY_MS)), waitMs);
    }
  }

  return {
    get found() {
      return found;
    },
    get error() {
      return error;
    },
    ready,
    start: () => {
      if (started) return;
      started = true;
      void ask(FIRST_RETRY_MS);
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function read(answer: Record<string, unknown>, workspaces: readonly string[] | undefined): Identity {
  const enterprise = textField(answer, 'enterprise_id');
  const isEnterpriseInstall = field(answer, 'is_enterprise_install') === true;
  const team = textField(answer, 'team_id') ?? (isEnterpriseInstall ? enterprise : undefined);
  if (team === undefined) throw new Error('Slack auth.test: no team_id in the answer');
  const teamName = textField(answer, 'team');
  const botUserId = textField(answer, 'user_id');
  const appId = textField(answer, 'app_id');
  return {
    team,
    isEnterpriseInstall,
    workspaces: workspaces !== undefined && workspaces.length > 0 ? workspaces : [team],
    ...(teamName === undefined ? {} : { teamName }),
    ...(enterprise === undefined ? {} : { enterprise }),
    ...(botUserId === undefined ? {} : { botUserId }),
    ...(appId === undefined ? {} : { appId }),
  };
}
