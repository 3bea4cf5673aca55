/**
 * Any place where membership lives, behind an executable of its owner's: each call is one process, asked in JSON and
 * answering in JSON. What it may say is in docs/adding-a-directory.md; what is not that counts as a lost answer.
 */
import { z } from 'zod';
import type { DirectoryErrorCode, DirectoryUser } from '../access/model.ts';
import { type Clock, type Directory, DirectoryError, type Metrics } from '../access/ports.ts';
import { converse, type Ended } from './command-process.ts';
import type { CommandSection } from './command-section.ts';
import {
  type Answer,
  type Asked,
  createCaller,
  type Deadline,
  deadlineIn,
  jsonOf,
  malformed,
  refusedHere,
  tell,
  title,
} from './http.ts';
import { Limiter, type Urgency } from './limiter.ts';
import { durationMs } from './section.ts';

const DEADLINE = '8s';
const LAG = '2s';
/** Processes at the same time, and how many of them only removals may be. */
const AT_ONCE = 8;
const AT_ONCE_RESERVE = 2;
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 90_000;
const RETRY_UNSAID_MS = 5_000;
/** Shorter values would blot out half of every message, and are no secrets. */
const SECRET_LENGTH_MIN = 4;

export interface CommandParts {
  readonly name: string;
  readonly section: CommandSection;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Uniform in [0, 1). */
  readonly jitter: () => number;
  /** Instead of the section's `deadline`. */
  readonly callDeadlineMs?: number;
}

/** No letter in it changes its meaning in a path, a query or a line; ids with spaces, such as DNs, are ids. */
const id = z.string().refine(isId);
const userSchema = z.object({
  id,
  login: z.string().min(1),
  email: z.string().optional(),
  name: z.string().optional(),
  active: z.boolean(),
});
const userAnswer = z.object({ user: userSchema.nullable() });
const groupAnswer = z.object({
  group: z.object({ id, name: z.string().min(1), unmanageable: z.string().min(1).optional() }).nullable(),
});
const memberAnswer = z.object({ member: z.boolean() });
const addAnswer = z.object({ done: z.enum(['added', 'already_member']) });
const removeAnswer = z.object({ done: z.enum(['removed', 'was_not_member']) });
const membersAnswer = z.object({ members: z.array(userSchema) });
const errorAnswer = z.object({
  error: z.object({
    code: z.enum(['rate_limited', 'unavailable', 'not_found', 'rejected', 'unauthorized']),
    message: z.string().optional(),
    missing: z.enum(['group', 'user', 'member']).optional(),
    retryAfterMs: z.number().nonnegative().optional(),
    effect: z.enum(['none', 'unknown']).optional(),
  }),
});

export function createCommand(parts: CommandParts): Directory {
  const { name, section, clock } = parts;
  const callDeadlineMs = parts.callDeadlineMs ?? durationMs(section.deadline ?? DEADLINE);
  const env = section.env ?? {};
  const secrets = Object.values(env).filter((value) => value.length >= SECRET_LENGTH_MIN);
  const call = createCaller({
    directory: name,
    clock,
    metrics: parts.metrics,
    jitter: parts.jitter,
    limiter: new Limiter({ directory: name, clock, inFlightMax: AT_ONCE, inFlightReserve: AT_ONCE_RESERVE }),
  });

  async function ask<S extends z.ZodType>(
    operation: string,
    question: Readonly<Record<string, string>>,
    schema: S,
    deadline: Deadline,
    urgency: Urgency = 'ordinary',
  ): Promise<z.output<S>> {
    const write = operation === 'add' || operation === 'remove';
    const asked: Asked = { directory: name, operation, write, secrets };
    return await call(
      {
        ...asked,
        // A read is asked once more when it fails, a change never.
        method: write ? 'POST' : 'GET',
        bucket: 'command',
        urgency,
        send: async (_, signal) => {
          const ended = await converse({ run: section.run, env }, { do: operation, ...question }, signal);
          return Response.json(ended);
        },
        read: (answer) => processEnded(asked, answer, schema),
      },
      deadline,
    );
  }

  function mustBeIds(operation: string, ...ids: readonly string[]): void {
    if (!ids.every(isId)) throw refusedHere({ directory: name, operation }, 'not an id');
  }

  function mustBeText(operation: string, text: string): void {
    if (text === '' || text.length > 320 || !text.isWellFormed() || /\p{Cc}/u.test(text))
      throw refusedHere({ directory: name, operation }, 'not a name');
  }

  const personOf = (user: z.output<typeof userSchema>): DirectoryUser => ({
    directory: name,
    id: user.id,
    login: user.login,
    email: user.email ?? '',
    name: user.name || user.login,
    active: user.active,
  });

  return {
    name,
    lagMs: durationMs(section.lag ?? LAG),
    callDeadlineMs,

    async findGroup(nameOrId) {
      mustBeText('find_group', nameOrId);
      const { group } = await ask('find_group', { name: nameOrId }, groupAnswer, deadlineIn(callDeadlineMs));
      // An executable that searches generously must not hand out a group that nobody named.
      if (group === null || (group.name !== nameOrId && group.id !== nameOrId)) return undefined;
      const { unmanageable } = group;
      return { id: group.id, name: group.name, ...(unmanageable === undefined ? {} : { unmanageable }) };
    },

    async findUser(login) {
      mustBeText('find_user', login);
      const { user } = await ask('find_user', { login }, userAnswer, deadlineIn(callDeadlineMs));
      const wanted = login.toLowerCase();
      const own = user?.login.toLowerCase() === wanted || user?.email?.toLowerCase() === wanted;
      return user !== null && own ? personOf(user) : undefined;
    },

    async getUser(userId) {
      mustBeIds('get_user', userId);
      const { user } = await ask('get_user', { user: userId }, userAnswer, deadlineIn(callDeadlineMs));
      return user?.id === userId ? personOf(user) : undefined;
    },

    async isMember(groupId, userId) {
      mustBeIds('is_member', groupId, userId);
      const question = { group: groupId, user: userId };
      return (await ask('is_member', question, memberAnswer, deadlineIn(callDeadlineMs))).member;
    },

    async add(groupId, userId) {
      mustBeIds('add', groupId, userId);
      return (await ask('add', { group: groupId, user: userId }, addAnswer, deadlineIn(callDeadlineMs))).done;
    },

    async remove(groupId, userId) {
      mustBeIds('remove', groupId, userId);
      const question = { group: groupId, user: userId };
      try {
        return (await ask('remove', question, removeAnswer, deadlineIn(callDeadlineMs), 'removal')).done;
      } catch (error) {
        if (error instanceof DirectoryError && error.missing === 'member') return 'was_not_member';
        throw error;
      }
    },

    async listMembers(groupId) {
      mustBeIds('members', groupId);
      const { members } = await ask('members', { group: groupId }, membersAnswer, deadlineIn(callDeadlineMs));
      return [...new Map(members.map((user) => [user.id, personOf(user)])).values()];
    },
  };
}

function isId(value: string): boolean {
  return (
    value !== '' &&
    value.length <= 256 &&
    value.isWellFormed() &&
    value === value.trim() &&
    !/[\p{Cc}/?#\\]/u.test(value) &&
    !/^\.+$/.test(value)
  );
}

/** What an ended executable has said. One that ends badly is believed only what it says of its failure. */
export function processEnded<S extends z.ZodType>(asked: Asked, answer: Answer, schema: S): z.output<S> {
  const ended = jsonOf(answer) as Ended;
  const said = jsonOf({ ...answer, body: ended.stdout });
  const failed = errorAnswer.safeParse(said);
  if (failed.success) throw errorOf(asked, failed.data.error);
  if (ended.exit !== 0) {
    const words = tell(asked, ended.stderr);
    throw malformed(asked, `it ended with ${ended.exit}${words === '' ? '' : `: ${words}`}`);
  }
  const result = schema.safeParse(said);
  if (result.success) return result.data;
  const path = result.error.issues[0]?.path.join('.') ?? '';
  throw malformed(asked, path === '' ? 'not what the contract describes' : `at ${path}`);
}

function errorOf(asked: Asked, said: z.output<typeof errorAnswer>['error']): DirectoryError {
  const { code, message, missing, retryAfterMs, effect } = said;
  const words = message === undefined ? '' : `: ${tell(asked, message)}`;
  return new DirectoryError(asked.directory, code, `${title(asked)} failed: ${code}${words}`, {
    effect: asked.write ? (effect ?? usualEffect(code)) : 'none',
    ...(missing === undefined || code !== 'not_found' ? {} : { missing }),
    ...(code === 'rate_limited'
      ? { retryAfterMs: Math.min(RETRY_MAX_MS, Math.max(RETRY_MIN_MS, retryAfterMs ?? RETRY_UNSAID_MS)) }
      : {}),
  });
}

/** Whoever refuses knows that nothing happened; whoever is out of order does not. */
function usualEffect(code: DirectoryErrorCode): 'none' | 'unknown' {
  return code === 'unavailable' ? 'unknown' : 'none';
}
