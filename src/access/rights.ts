/** What a person may see and do beside their own things, by the subjects of the file, asked afresh. */
import type { Catalog } from './catalog.ts';
import { askSubjects } from './gather.ts';
import type { Person, Subject } from './model.ts';
import { anyHolds } from './policy.ts';
import type { People } from './ports.ts';

export interface Rights {
  /** Who holds what. */
  readonly sees: boolean;
  /** To revoke and to freeze. */
  readonly responds: boolean;
  /** To read the trail and to lift freezes. */
  readonly audits: boolean;
  /** Why it could not be told; what could not be told is not given. */
  readonly unknown?: string;
}

export async function rightsOf(
  { people, catalog }: { readonly people: People; readonly catalog: () => Catalog },
  person: Person,
): Promise<Rights> {
  const { viewers, responders, admins } = catalog();
  const holds = async (subjects: readonly Subject[]) =>
    anyHolds('eligible', subjects, await askSubjects(people, subjects, person));
  const [viewer, responder, admin] = await Promise.all([holds(viewers), holds(responders), holds(admins)]);
  const audits = responder.is === 'satisfied' || admin.is === 'satisfied';
  const broken = [viewer, responder, admin].find((verdict) => verdict.is === 'broken');
  return {
    sees: audits || viewer.is === 'satisfied',
    responds: responder.is === 'satisfied',
    audits,
    ...(broken?.is === 'broken' ? { unknown: broken.finding.why } : {}),
  };
}
