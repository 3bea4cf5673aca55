/** One of Google's clients, asked: a token, our connection, a budget, and the reading of what comes back. */
import { DirectoryError } from '../access/ports.ts';
import type { Credential } from './credential.ts';
import { type Lent, through } from './google-library.ts';
import type { Answer, Asked, Caller, Deadline } from './http.ts';
import type { Urgency } from './limiter.ts';

export interface Question<Api, T> {
  readonly operation: string;
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly urgency?: Urgency | undefined;
  readonly write: (api: Api, lent: Lent) => Promise<unknown>;
  readonly read: (asked: Asked, answer: Answer) => T;
}

export type Ask<Api> = <T>(question: Question<Api, T>, deadline: Deadline) => Promise<T>;

export interface AskParts<Api> {
  readonly directory: string;
  readonly open: () => Promise<Api>;
  readonly call: Caller;
  readonly credential: Credential;
  /** What Google counts these calls in. */
  readonly bucket: string;
  /** Before each exchange. */
  readonly before?: () => void;
  readonly rootUrl?: string;
}

export function createAsk<Api>(parts: AskParts<Api>): Ask<Api> {
  let opened: Promise<Api> | undefined;
  return async (question, deadline) => {
    opened ??= parts.open();
    const api = await opened;
    for (let renewed = false; ; renewed = true) {
      const authorization = await parts.credential.authorization(deadline);
      const method = question.method ?? 'GET';
      const asked: Asked = {
        directory: parts.directory,
        operation: question.operation,
        write: method !== 'GET',
        secrets: [authorization.slice(authorization.indexOf(' ') + 1)],
      };
      parts.before?.();
      try {
        return await parts.call(
          {
            ...asked,
            ...through(authorization, parts.rootUrl, (lent) => question.write(api, lent)),
            method,
            bucket: parts.bucket,
            urgency: question.urgency ?? deadline.lane,
            read: (answer) => question.read(asked, answer),
          },
          deadline,
        );
      } catch (error) {
        // A 401 means that nothing happened, so that even a write may be sent again with a fresh token.
        const unauthorized = error instanceof DirectoryError && error.code === 'unauthorized';
        if (!unauthorized || renewed || !parts.credential.refused(authorization)) throw error;
      }
    }
  };
}
