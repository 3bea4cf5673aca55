/** Who answers when, as the file says it: stages, ladders, and whether enough people could ever answer. */
import type { Stage, Step, Subject } from './access/model.ts';
import type { Path } from './config-positions.ts';
import type { PolicySection } from './config-schema.ts';

type Report = (path: Path, message: string, instead?: string) => void;

export interface StageParts {
  readonly section: PolicySection;
  /** Where a key of the section stands: in this policy, or in the one it is inherited from. */
  readonly at: (key: keyof PolicySection) => Path;
  /** The subjects of a list, judged where they stand. */
  readonly subjects: (texts: readonly string[], path: Path) => readonly Subject[];
  readonly ms: (text: string) => number;
  /** Absent where the key is inherited: what is wrong with it is said once, where it stands. */
  readonly report: (key: keyof PolicySection) => Report | undefined;
  readonly warn: (path: Path, message: string) => void;
  readonly lapseAfterMs: number;
}

/** The stages and the ladder of a policy; both absent for a policy with neither. */
export function stagesFrom(parts: StageParts): { stages?: readonly Stage[]; escalate?: readonly Step[] } {
  const { section, at, subjects } = parts;
  const stages = section.stages?.map((stage, index): Stage => {
    const here: Path = [...at('stages'), index];
    return {
      approvers: subjects(stage.approvers, [...here, 'approvers']),
      approvals: stage.approvals ?? 1,
      escalate: ladder(stage.escalate ?? [], [...here, 'escalate'], 'stages', parts),
    };
  });
  if (stages !== undefined) return { stages };
  if (section.escalate === undefined) return {};
  return { escalate: ladder(section.escalate, at('escalate'), 'escalate', parts) };
}

type Steps = NonNullable<PolicySection['escalate']>;

function ladder(steps: Steps, at: Path, key: 'stages' | 'escalate', parts: StageParts): readonly Step[] {
  const { subjects, ms, report, warn, lapseAfterMs } = parts;
  let before = 0;
  return steps.map((step, index): Step => {
    const afterMs = ms(step.after);
    const here: Path = [...at, index];
    if (afterMs <= before)
      report(key)?.([...here, 'after'], 'each step must come later than the one before', `after: ${laterThan(before)}`);
    // Later stages begin to wait later still, so this is certain only of what could be reached at all.
    if (afterMs >= lapseAfterMs && report(key) !== undefined)
      warn([...here, 'after'], 'never reached: the request has lapsed by then');
    before = Math.max(before, afterMs);
    return { afterMs, to: subjects(step.to, [...here, 'to']) };
  });
}

function laterThan(ms: number): string {
  return `${Math.floor(ms / 60_000) + 1}m or more`;
}

/** A stage and everyone who can ever answer in it; `undefined`: nobody can count them. */
export interface Countable {
  readonly approvals: number;
  readonly people: ReadonlySet<string> | undefined;
  /** At most so many of them at the same time, where they take turns. */
  readonly most?: number;
}

/**
 * Whether every stage can be filled with different people, without this one. By augmenting paths, since whoever answers
 * in one stage cannot answer in another: taking the first who fits could use up the only one who fits the next.
 */
export function canBeFilled(stages: readonly Countable[], without?: string): boolean {
  if (stages.some(({ approvals, people, most }) => people !== undefined && most !== undefined && most < approvals))
    return false;
  const seats = stages.flatMap(({ approvals, people }) => (people === undefined ? [] : Array(approvals).fill(people)));
  const seatOf = new Map<string, number>();
  const seat = (index: number, tried: Set<string>): boolean => {
    for (const person of seats[index] as ReadonlySet<string>) {
      if (person === without || tried.has(person)) continue;
      tried.add(person);
      const taken = seatOf.get(person);
      if (taken === undefined || seat(taken, tried)) {
        seatOf.set(person, index);
        return true;
      }
    }
    return false;
  };
  return seats.every((_, index) => seat(index, new Set()));
}
