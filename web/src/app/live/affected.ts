// Which answers a change that the socket told makes old. Pure: a change in, queries out.

/** What the server sends over `/ws`. */
export interface Change {
  topic: string;
  id: string;
  data: Record<string, unknown>;
}

/** Answers of one path; with `id`, only those about it. */
export interface Affected {
  path: string;
  id?: string;
  /** How many milliseconds a second look may wait: counts are no news to be first with. */
  restMs: number;
}

const AT_ONCE = 40;
const NOW_AND_THEN = 3_000;

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function contact(id: string): Affected[] {
  return [
    { path: "/api/v1/contacts", restMs: AT_ONCE },
    { path: "/api/v1/contacts/{id}", id, restMs: AT_ONCE },
    { path: "/api/v1/contacts/{id}/timeline", id, restMs: AT_ONCE },
  ];
}

function timelineOf(data: Change["data"]): Affected[] {
  const id = text(data.contact_id);
  return id === undefined ? [] : [{ path: "/api/v1/contacts/{id}/timeline", id, restMs: AT_ONCE }];
}

function conversation(id: string | undefined): Affected[] {
  const lists: Affected[] = [{ path: "/api/v1/conversations", restMs: AT_ONCE }];
  return id === undefined ? lists : [...lists, { path: "/api/v1/conversations/{id}", id, restMs: AT_ONCE }];
}

function message(data: Change["data"]): Affected[] {
  const id = text(data.conversation_id);
  const messages: Affected[] = id === undefined ? [] : [{ path: "/api/v1/conversations/{id}/messages", id, restMs: AT_ONCE }];
  return [...messages, ...conversation(id), ...timelineOf(data)];
}

function run(id: string, data: Change["data"]): Affected[] {
  const workflow = text(data.workflow);
  return [
    { path: "/api/v1/runs", restMs: AT_ONCE },
    { path: "/api/v1/runs/{id}", id, restMs: AT_ONCE },
    { path: "/api/v1/runs/{id}/history", id, restMs: AT_ONCE },
    { path: "/api/v1/runs/{id}/why", id, restMs: AT_ONCE },
    { path: "/api/v1/runs/failures", restMs: NOW_AND_THEN },
    { path: "/api/v1/overview", restMs: NOW_AND_THEN },
    ...(workflow === undefined ? [] : [{ path: "/api/v1/workflows/{name}/stats", id: workflow, restMs: NOW_AND_THEN }]),
  ];
}

/** Topics whose records are a list and single ones. */
const RECORDS = new Map([
  ["company", "/api/v1/companies"],
  ["deal", "/api/v1/deals"],
  ["task", "/api/v1/tasks"],
  ["pipeline", "/api/v1/pipelines"],
  ["segment", "/api/v1/segments"],
  ["connection", "/api/v1/connections"],
]);

export function affected({ topic, id, data }: Change): Affected[] {
  switch (topic) {
    case "contact":
      // A conversation shows its contact's name.
      return [...contact(id), { path: "/api/v1/conversations", restMs: AT_ONCE }];
    case "message":
      return message(data);
    case "conversation":
      return [...conversation(id), ...timelineOf(data)];
    case "run":
      return run(id, data);
    case "presence":
      return [{ path: "/api/v1/presence", restMs: NOW_AND_THEN }];
    case "notification":
      return [{ path: "/api/v1/notifications", restMs: AT_ONCE }];
    default: {
      const path = RECORDS.get(topic);
      return path === undefined ? [] : [{ path, restMs: AT_ONCE }, { path: `${path}/{id}`, id, restMs: AT_ONCE }, ...timelineOf(data)];
    }
  }
}

/** Whether a kept answer, by its key, is among the affected. */
export function isAbout(key: readonly unknown[], { path, id }: Affected): boolean {
  if (key[1] !== path) {
    return false;
  }
  if (id === undefined) {
    return true;
  }
  const init = key[2] as { params?: { path?: Record<string, unknown> } } | undefined;
  return Object.values(init?.params?.path ?? {}).includes(id);
}
