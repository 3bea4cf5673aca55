/** Everybody and every group that a file names, with the place where it does: what a check can look up. */
import type { Catalog } from './access/catalog.ts';
import type { Subject } from './access/model.ts';
import { type Path, type Place, pathText } from './config-positions.ts';
import { type ConfigFile, parseSubject } from './config-schema.ts';

/** Somebody that the file relies on for something. */
export interface Named {
  /** `policies.standard.approvers[0]` */
  readonly path: string;
  readonly line?: number;
  readonly subject: Subject;
  /** Trusted to see, and with nothing else. */
  readonly sees?: true;
}

/** A chain of sections deeper than this is nobody's file; the schema allows far less. */
const DEPTH_MAX = 12;

export function namedIn(file: ConfigFile, catalog: Catalog, locate: (path: Path) => Place): readonly Named[] {
  const found: Named[] = [];
  const add = (path: Path, subject: Subject): void => {
    found.push({
      path: pathText(path),
      line: locate(path).line,
      subject,
      ...(path[0] === 'viewers' && { sees: true as const }),
    });
  };
  // By form, not by key: a subject that a policy names under a new key is trusted from that day on.
  const walk = (value: unknown, path: Path): void => {
    if (typeof value === 'string' && /^(group|on-call|user):/.test(value)) {
      const subject = parseSubject(value);
      if (!('wrong' in subject)) add(path, subject);
    } else if (path.length < DEPTH_MAX && Array.isArray(value))
      for (const [i, item] of value.entries()) walk(item, [...path, i]);
    else if (path.length < DEPTH_MAX && typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) if (key !== 'reason') walk(inner, [...path, key]);
  };
  for (const key of ['admins', 'responders', 'viewers', 'policies'] as const) walk(file[key] ?? [], [key]);

  // Of a group that a condition asks about, whoever gets into it gets what the condition opens.
  const judged = new Set<string>();
  for (const { roles } of Object.values(catalog.resources))
    for (const { policy } of Object.values(roles)) {
      if (judged.has(policy.name)) continue;
      judged.add(policy.name);
      for (const key of ['when', 'autoApprove'] as const)
        for (const group of policy[key]?.groups ?? []) {
          const subject = parseSubject(`group:${group}`);
          if (!('wrong' in subject)) add(['policies', policy.name, key], subject);
        }
    }

  for (const [source, section] of Object.entries(file.onCall ?? {})) {
    if (section.type !== 'static') continue;
    const at: Path = ['onCall', source];
    const { people, rotation } = section;
    const lists = {
      people: people ?? [],
      'rotation.people': rotation?.people ?? [],
      'rotation.overrides': (rotation?.overrides ?? []).map(({ person }) => person),
    };
    for (const [list, emails] of Object.entries(lists))
      for (const [i, email] of emails.entries()) add([...at, ...list.split('.'), i], { kind: 'user', email });
  }
  for (const [account, email] of Object.entries(file.people ?? {})) add(['people', account], { kind: 'user', email });
  for (const [workload, { directoryUser, actors }] of Object.entries(file.workloads ?? {})) {
    add(['workloads', workload, 'directoryUser'], { kind: 'user', email: directoryUser });
    for (const [account, email] of Object.entries(actors ?? {}))
      add(['workloads', workload, 'actors', account], { kind: 'user', email });
  }
  for (const { path, subject } of inConditions(catalog)) add(path, subject);
  return found;
}

/** An expression that asks for a group gives something to whoever is in it. */
function inConditions(catalog: Catalog): readonly { readonly path: Path; readonly subject: Subject }[] {
  const policies = new Map(
    Object.values(catalog.resources).flatMap((resource) =>
      Object.values(resource.roles).map(({ policy }) => [policy.name, policy] as const),
    ),
  );
  return [...policies.values()].flatMap((policy) =>
    (['when', 'autoApprove'] as const).flatMap((key) =>
      (policy[key]?.groups ?? []).map((name) => {
        const slash = name.indexOf('/');
        const subject = { kind: 'group', directory: name.slice(0, slash), group: name.slice(slash + 1) } as const;
        return { path: ['policies', policy.name, key], subject };
      }),
    ),
  );
}
