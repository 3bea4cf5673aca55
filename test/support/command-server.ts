/** A directory in memory, spoken to in lines by test/support/command-directory.sh, with everything that can go wrong. */
import { createServer, type Socket } from 'node:net';
import type { ContractFault, ContractGroup, ContractUser } from '../contracts/directory.ts';

interface Question {
  readonly do: string;
  readonly group?: string;
  readonly user?: string;
  readonly name?: string;
  readonly login?: string;
}

const CHANGES = new Set(['add', 'remove']);

export interface CommandServer {
  readonly port: number;
  readonly asked: readonly Question[];
  holds(groupId: string, userId: string): boolean;
  fault(fault: ContractFault & { readonly error?: object }): void;
  clear(): void;
  lagReads(reads: number): void;
  deleteGroup(id: string): void;
  deleteUser(id: string): void;
  close(): Promise<void>;
}

export async function startCommandServer(
  seed: { readonly users: readonly ContractUser[]; readonly groups: readonly ContractGroup[] },
  secret: string,
): Promise<CommandServer> {
  const users = new Map(seed.users.map((user) => [user.id, user]));
  const groups = new Map(seed.groups.map((group) => [group.id, { ...group, members: new Set(group.members) }]));
  const asked: Question[] = [];
  const sockets = new Set<Socket>();
  let faults: { readonly fault: ContractFault & { readonly error?: object }; left: number }[] = [];
  let lag = { reads: 0, shown: new Map<string, ReadonlySet<string>>() };

  const failed = (code: string, more: object = {}) => ({ error: { code, ...more } });
  const show = ({ id, login, active }: ContractUser) => ({ id, login, name: login, active: active !== false });

  function shown(id: string): ReadonlySet<string> {
    const before = lag.shown.get(id);
    if (before === undefined || lag.reads === 0) return groups.get(id)?.members ?? new Set();
    lag.reads -= 1;
    return before;
  }

  function answer({ do: what, group: groupId = '', user: userId = '', name, login }: Question): object {
    const group = groups.get(groupId);
    const user = users.get(userId);
    switch (what) {
      case 'find_group': {
        const found = [...groups.values()].find((each) => each.id === name || each.name === name);
        if (found === undefined) return { group: null };
        const why = found.kind === undefined ? {} : { unmanageable: `the directory says that it is ${found.kind}` };
        return { group: { id: found.id, name: found.name, ...why } };
      }
      case 'find_user': {
        const found = [...users.values()].find((each) => each.login === login?.toLowerCase());
        return { user: found === undefined ? null : show(found) };
      }
      case 'get_user':
        return { user: user === undefined ? null : show(user) };
      case 'members':
        if (group === undefined) return failed('not_found', { missing: 'group' });
        return { members: [...shown(groupId)].flatMap((id) => users.get(id) ?? []).map(show) };
    }
    if (group === undefined) return failed('not_found', { missing: 'group' });
    if (user === undefined) return failed('not_found', { missing: 'user' });
    if (what === 'is_member') return { member: shown(groupId).has(userId) };
    if (lag.reads > 0 && !lag.shown.has(groupId)) lag.shown.set(groupId, new Set(group.members));
    if (what === 'add') {
      const there = group.members.has(userId);
      group.members.add(userId);
      return { done: there ? 'already_member' : 'added' };
    }
    if (what !== 'remove') throw new Error(`no such question: ${what}`);
    return group.members.delete(userId) ? { done: 'removed' } : failed('not_found', { missing: 'member' });
  }

  function struck(question: Question) {
    const change = CHANGES.has(question.do);
    const found = faults.find(
      ({ fault, left }) => left > 0 && (fault.on === 'all' || (fault.on === 'writes') === change),
    );
    if (found !== undefined) found.left -= 1;
    return found?.fault;
  }

  function serve(question: Question, socket: Socket): void {
    asked.push(question);
    const fault = struck(question);
    const say = (value: object) => socket.end(`${JSON.stringify(value)}\n`);
    switch (fault?.kind) {
      case undefined:
        say(answer(question));
        return;
      case 'status':
        say(
          fault.error ?? failed(codeOf(fault.status ?? 500), fault.echo === true ? { message: `said ${secret}` } : {}),
        );
        return;
      case 'down':
      case 'reset-before':
        socket.destroy();
        return;
      case 'hang':
        return;
    }
    answer(question);
    if (fault?.kind === 'reset-after') socket.destroy();
    else if (fault?.kind === 'malformed') socket.end('<html><body>Please sign in');
    else if (fault?.kind === 'drip') {
      const drip = setInterval(() => socket.write(' '), 20);
      socket.on('close', () => clearInterval(drip));
    }
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // Executables are killed in the middle of a line.
    socket.on('error', () => {});
    let line = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      line += chunk;
      if (line.endsWith('\n')) serve(JSON.parse(line) as Question, socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();

  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    asked,
    holds: (groupId, userId) => groups.get(groupId)?.members.has(userId) ?? false,
    fault: (fault) => faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY }),
    clear: () => {
      faults = [];
    },
    lagReads: (reads) => {
      lag = { reads, shown: new Map() };
    },
    deleteGroup: (id) => groups.delete(id),
    deleteUser: (id) => {
      users.delete(id);
      for (const group of groups.values()) group.members.delete(id);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function codeOf(status: number): string {
  if (status === 401) return 'unauthorized';
  if (status === 429) return 'rate_limited';
  return status >= 400 && status < 500 && status !== 404 ? 'rejected' : 'unavailable';
}
