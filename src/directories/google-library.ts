/**
 * Google's own client, lent our connection. It writes the requests, from Google's description of its API; the
 * deadline, the budget, the reading of answers and every second try stay ours.
 */
import type { admin_directory_v1 } from 'googleapis/build/src/apis/admin/directory_v1.js';
import type { admin_reports_v1 } from 'googleapis/build/src/apis/admin/reports_v1.js';
import type { cloudidentity_v1 } from 'googleapis/build/src/apis/cloudidentity/v1.js';
import type { Request } from './http.ts';

export type Admin = admin_directory_v1.Admin;
export type Reports = admin_reports_v1.Admin;
export type CloudIdentity = cloudidentity_v1.Cloudidentity;
export type Library = typeof import('googleapis/build/src/apis/admin/index.js');
type IdentityLibrary = typeof import('googleapis/build/src/apis/cloudidentity/index.js');

let loading: Promise<Library> | undefined;

/** By sub-path and when first needed: it costs a tenth of a second, the whole package more than one. */
export function library(): Promise<Library> {
  loading ??= import('googleapis/build/src/apis/admin/index.js');
  return loading;
}

let loadingIdentity: Promise<IdentityLibrary> | undefined;

/** The same, of another of Google's APIs. */
export function identityLibrary(): Promise<IdentityLibrary> {
  loadingIdentity ??= import('googleapis/build/src/apis/cloudidentity/index.js');
  return loadingIdentity;
}

/** What every request is made with. The type is the smallest that all methods of the client take. */
export interface Lent {
  readonly headers: { readonly authorization: string };
  readonly signal: AbortSignal;
  readonly fetchImplementation: typeof fetch;
  readonly rootUrl?: string;
  readonly retry: false;
  readonly redirect: 'error';
}

/** A request that the client writes and our connection carries. */
export function through(
  authorization: string,
  rootUrl: string | undefined,
  write: (lent: Lent) => Promise<unknown>,
): Request {
  return {
    async send(connection, signal) {
      let response: Response | undefined;
      let failed: unknown;
      const fetchImplementation: typeof fetch = async (input, init) => {
        try {
          response = await connection(input, init);
          // The client gets an empty answer: what the real one means, and how much of it is read, is judged here.
          return new Response(null, { status: 204 });
        } catch (error) {
          failed = error;
          throw error;
        }
      };
      try {
        await write({
          headers: { authorization },
          signal,
          fetchImplementation,
          ...(rootUrl === undefined ? {} : { rootUrl }),
          // The client's own tries would be unmarked writes, and reads past the deadline.
          retry: false,
          // A redirect would carry the credential to wherever the answer points.
          redirect: 'error',
        });
      } catch (error) {
        // The client's error holds the whole request, credential included; what failed is all that is needed.
        throw failed ?? new Error(nameOf(error));
      }
      if (response === undefined) throw new Error('the Google client sent nothing');
      return response;
    },
  };
}

function nameOf(error: unknown): string {
  return `the Google client failed by itself: ${error instanceof Error ? error.name : typeof error}`;
}
