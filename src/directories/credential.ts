/** What signs the calls of an adapter, whatever the vendor. */
import type { Deadline } from './http.ts';

/** What may stand in a header. A line break in a token would make fetch quote the token in its error. */
export const HEADER_SAFE = /^[\x21-\x7e]+$/;

export interface Credential {
  /** The `Authorization` header. Throws `unauthorized`, `rate_limited` or `unavailable`, always without effect. */
  authorization(deadline: Deadline): Promise<string>;
  /** Says that the API refused this header. `true`: a new one may do better, ask again. */
  refused(authorization: string): boolean;
}

/** The promise's outcome, or `late()` when the deadline comes first. */
export function within<T>(promise: Promise<T>, deadline: Deadline, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(late());
    if (deadline.signal.aborted) {
      onAbort();
      return;
    }
    deadline.signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => deadline.signal.removeEventListener('abort', onAbort));
  });
}
