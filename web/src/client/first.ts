// Answers that `start.js` asked for before the app was there. Each is taken once, and soon: later it would be old.

const SOON_MS = 15_000;

type Answers = Record<string, Promise<Response>>;

function answers(): Answers | undefined {
  return (globalThis as { onwardFirst?: Answers }).onwardFirst;
}

/** The answer that is on its way for a request already, or is here. */
export function takeFirst(request: Request): Promise<Response> | undefined {
  const waiting = answers();
  if (waiting === undefined || request.method !== "GET" || performance.now() > SOON_MS) {
    return undefined;
  }
  const address = request.url.slice(location.origin.length);
  const answer = waiting[address];
  delete waiting[address];
  return answer;
}

/** Whatever was not taken is of no use any more: somebody else may have signed in. */
export function forgetFirst(): void {
  delete (globalThis as { onwardFirst?: Answers }).onwardFirst;
}
