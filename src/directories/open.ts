/** The kinds of directory there are, and which adapter each section stands for. */
import type { Clock, Directory, Metrics } from '../access/ports.ts';
import { createCommand } from './command.ts';
import type { CommandSection } from './command-section.ts';
import { createGoogle } from './google.ts';
import type { GoogleSection } from './google-section.ts';
import { createOkta } from './okta.ts';
import type { OktaSection } from './okta-section.ts';

export interface DirectoryParts {
  readonly name: string;
  readonly section: OktaSection | GoogleSection | CommandSection;
  /** Content of `auth.keyFile`. */
  readonly keyText?: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** Uniform in [0, 1). */
  readonly jitter: () => number;
  /** For tests: every call ends within this. */
  readonly callDeadlineMs?: number;
}

export function openDirectory({ section, ...parts }: DirectoryParts): Directory {
  switch (section.type) {
    case 'okta':
      return createOkta({ ...parts, section });
    case 'google':
      return createGoogle({ ...parts, section });
    case 'command':
      return createCommand({ ...parts, section });
  }
}
