// Bodies of requests whose fields may be left out, and whose free maps the generated types cannot say: the server checks them all.

/** A body as the generated client takes it. */
export function requestBody(body: object): never {
  return body as never;
}
