// The one way to the server: typed by `openapi.json`, with the session's CSRF token on whatever changes something, and a
// word to the shell when the session has ended.

import createFetchClient, { type Middleware } from "openapi-fetch";
import createQueryClient from "openapi-react-query";
import { takeFirst } from "./first";
import type { paths, Problem } from "./schema";

let csrfToken: string | null = null;
let whenSessionEnded: () => void = () => undefined;

/** The token that `GET /auth/session` and signing in give. */
export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

/** Says who wants to know that a request was refused because nobody is signed in any more. */
export function onSessionEnded(listener: () => void): void {
  whenSessionEnded = listener;
}

/** Refused for other reasons than a session that has ended. */
const SIGNS_IN = new Set(["/api/v1/auth/sign-in", "/api/v1/auth/first-run"]);

const session: Middleware = {
  onRequest({ request }) {
    const changes = !["GET", "HEAD"].includes(request.method);
    if (changes && csrfToken !== null) {
      request.headers.set("X-CSRF-Token", csrfToken);
    }
    return request;
  },
  onResponse({ response, schemaPath }) {
    const wasSignedIn = csrfToken !== null;
    if (response.status === 401 && wasSignedIn && !SIGNS_IN.has(schemaPath)) {
      whenSessionEnded();
    }
    return response;
  },
};

/** Plain calls: `client.POST("/api/v1/contacts", { body })`. */
export const client = createFetchClient<paths>({ baseUrl: globalThis.location?.origin ?? "", fetch: (request) => takeFirst(request) ?? fetch(request) });
client.use(session);

/** Calls as queries and mutations: `api.useQuery("get", "/api/v1/contacts", …)`. */
export const api = createQueryClient(client);

/** What went wrong with a call: a problem that the server told, or none when the server could not be reached. */
export type CallError = Problem | Error | null | undefined;

/** The problem that the server told, when it told one. */
export function problemOf(error: unknown): Problem | null {
  const looksRight = typeof error === "object" && error !== null && "code" in error && "detail" in error;
  return looksRight ? (error as Problem) : null;
}
