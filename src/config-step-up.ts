/** The issuer of `stepUp`, judged together with the rest of the file and the environment. */
import type { Path } from './config-positions.ts';
import type { Report } from './config-report.ts';
import type { ConfigFile } from './config-schema.ts';
import { isIssuer, type StepUpSection, stepUpProblems } from './people/step-up-section.ts';

export interface StepUpSettings {
  readonly section: StepUpSection;
  /** Where the first directory is an Okta organisation: its address. */
  readonly identityOkta?: string;
  /** Where browsers find Hallpass, without a slash at its end. */
  readonly baseUrl: string;
}

/** `environment`: what is wrong outside the file. `baseUrl`: absent where nothing is listened on. */
export function stepUpOf(
  file: ConfigFile,
  baseUrl: string | undefined,
  say: {
    readonly report: Report;
    readonly warn: (path: Path, message: string) => void;
    readonly environment: (name: string, message: string, instead?: string) => void;
  },
): StepUpSettings | undefined {
  const section = file.stepUp;
  if (section === undefined) return undefined;
  const [first] = Object.values(file.directories);
  const okta = first?.type === 'okta' ? { identityOkta: first.url } : {};
  const around = { ...okta, emailsTrusted: file.identity?.match !== undefined };
  for (const { key, message, instead, warning } of stepUpProblems(section, around))
    if (warning) say.warn(['stepUp', key], message);
    else say.report(['stepUp', key], message, instead);
  if (baseUrl === undefined) {
    say.environment(
      'HALLPASS_BASE_URL',
      'is not set, and stepUp sends people back to it',
      'https://hallpass.example.com',
    );
    return undefined;
  }
  if (!isIssuer(baseUrl))
    say.environment('HALLPASS_BASE_URL', 'must be https:// for stepUp (http:// only on loopback)');
  return { section, ...okta, baseUrl: baseUrl.replace(/\/+$/, '') };
}
