// The draft on the server: read once, saved a moment after each change, and put together with what somebody else saves meanwhile.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { client, problemOf } from "../../client/http";
import { merge } from "./merge";

export interface Stored {
  source: string;
  /** Of the draft; `null` when there is none yet. */
  etag: string | null;
  published: Published;
  by: string | null;
}

/** What was published last, and which version new starts take. */
export interface Published {
  /** The file that was published last: of the version on trial, else of the current one. */
  source: string | null;
  /** The version that new starts take. */
  version: number | null;
  /** The version that takes a part of the starts, where one is on trial. */
  trial: { version: number; held: boolean } | null;
}

/** How a workflow is published; nothing at all where it is not there yet. */
export async function readPublished(name: string): Promise<Published> {
  const { data, error, response } = await client.GET("/api/v1/workflows/{name}", { params: { path: { name } } });
  if (response.status === 404) return { source: null, version: null, trial: null };
  if (error) throw error as unknown as Error;
  const trial = data.rollout ? { version: data.rollout.version, held: data.rollout.held_at !== null && data.rollout.held_at !== undefined } : null;
  return { source: trial === null ? (data.source ?? null) : await readVersion(name, trial.version), version: data.current_version ?? null, trial };
}

/** The file of a published version. */
export async function readVersion(name: string, version: number): Promise<string> {
  const { data, error } = await client.GET("/api/v1/workflows/{name}/versions/{version}", { params: { path: { name, version } } });
  if (error) throw error as unknown as Error;
  return data.source;
}

/** A first file for a workflow that is not there yet. */
export function firstFile(name: string): string {
  return `name: ${name}\non:\n  - manual:\n\nsteps: []\n`;
}

/** What the builder begins with: the draft, else what was published last, else a first file. */
export async function loadWorkflow(name: string): Promise<Stored> {
  const [published, draft] = await Promise.all([readPublished(name), readDraft(name)]);
  return { source: draft?.source ?? published.source ?? firstFile(name), etag: draft?.etag ?? null, published, by: draft?.by ?? null };
}

interface Draft {
  source: string;
  etag: string | null;
  by: string | null;
}

async function readDraft(name: string): Promise<Draft | null> {
  const { data, error, response } = await client.GET("/api/v1/workflows/{name}/draft", { params: { path: { name } } });
  if (response.status === 404) return null;
  if (error) throw error as unknown as Error;
  return { source: data.source, etag: response.headers.get("etag"), by: data.updated_by ?? null };
}

export type Saving = "saved" | "waiting" | "saving" | "failed" | "conflict";

export interface Conflict {
  theirs: string;
  etag: string | null;
  by: string | null;
}

const PAUSE = 1500;
const AGAIN = 4000;
const LOOK = 5000;

/** Keeps the draft on the server as it is here; `replace` takes in what others changed. */
export function useAutosave(
  name: string,
  stored: Stored,
  source: string,
  replace: (source: string, by: string | null) => void,
): { saving: Saving; conflict: Conflict | null; resolve: (source: string) => void; saveNow: (source: string) => Promise<boolean>; forget: (source: string, etag: string | null) => void } {
  const base = useRef({ source: stored.source, etag: stored.etag });
  const latest = useRef(source);
  const busy = useRef<Promise<boolean> | null>(null);
  const [saving, setSaving] = useState<Saving>("saved");
  const [saved, setSaved] = useState(stored.source);
  const [conflict, setConflict] = useState<Conflict | null>(null);
  const inConflict = useRef(false);
  useLayoutEffect(() => { latest.current = source; });

  const takeIn = useCallback(
    (theirs: Draft) => {
      const merged = merge(base.current.source, latest.current, theirs.source);
      if (merged.conflict) {
        inConflict.current = true;
        setConflict({ theirs: theirs.source, etag: theirs.etag, by: theirs.by });
        setSaving("conflict");
        return;
      }
      base.current = { source: theirs.source, etag: theirs.etag };
      setSaved(theirs.source);
      if (merged.source !== latest.current) replace(merged.source, theirs.by);
    },
    [replace],
  );

  const save = useCallback(async (): Promise<boolean> => {
    if (inConflict.current) return false;
    if (busy.current) await busy.current;
    const text = latest.current;
    if (text === base.current.source && base.current.etag !== null) return true;
    setSaving("saving");
    const attempt = put(name, text, base.current.etag).then(
      async ({ etag, changed }) => {
        if (changed) {
          const theirs = await readDraft(name);
          if (theirs) takeIn(theirs);
          else base.current = { source: base.current.source, etag: null };
          if (!inConflict.current) setSaving("waiting");
          return false;
        }
        base.current = { source: text, etag };
        setSaved(text);
        setSaving(latest.current === text ? "saved" : "waiting");
        return true;
      },
      () => {
        setSaving("failed");
        return false;
      },
    );
    busy.current = attempt;
    const done = await attempt;
    busy.current = null;
    return done;
  }, [name, takeIn]);

  useEffect(() => {
    if (source === saved || conflict !== null) return undefined;
    const timer = setTimeout(() => void save(), saving === "failed" ? AGAIN : PAUSE);
    return () => clearTimeout(timer);
  }, [source, saved, saving, conflict, save]);

  // Whoever leaves the page within the pause loses nothing.
  useEffect(() => () => { if (latest.current !== base.current.source && !inConflict.current) void put(name, latest.current, base.current.etag); }, [name]);

  useEffect(() => {
    const look = async (): Promise<void> => {
      if (document.hidden || busy.current || inConflict.current) return;
      const theirs = await readDraft(name).catch(() => null);
      if (theirs && theirs.etag !== base.current.etag && !busy.current && base.current.etag !== null) takeIn(theirs);
    };
    const timer = setInterval(() => void look(), LOOK);
    return () => clearInterval(timer);
  }, [name, takeIn]);

  const resolve = useCallback(
    (text: string) => {
      if (conflict) {
        base.current = { source: conflict.theirs, etag: conflict.etag };
        setSaved(conflict.theirs);
      }
      inConflict.current = false;
      setConflict(null);
      setSaving(text === base.current.source ? "saved" : "waiting");
      if (text !== latest.current) replace(text, null);
    },
    [conflict, replace],
  );
  const saveNow = useCallback(
    async (text: string) => {
      latest.current = text;
      return (await save()) || (await save());
    },
    [save],
  );
  const forget = useCallback((text: string, etag: string | null) => { base.current = { source: text, etag }; setSaved(text); }, []);
  return { saving: saving === "saved" && saved !== source ? "waiting" : saving, conflict, resolve, saveNow, forget };
}

async function put(name: string, source: string, etag: string | null): Promise<{ etag: string | null; changed: boolean }> {
  const { error, response } = await client.PUT("/api/v1/workflows/{name}/draft", {
    params: { path: { name }, ...(etag !== null && { header: { "If-Match": etag } }) },
    body: { source },
    keepalive: source.length < 60_000,
  });
  if (response.status === 412) return { etag: null, changed: true };
  if (error) throw new Error(problemOf(error)?.detail ?? String(response.status));
  return { etag: response.headers.get("etag"), changed: false };
}
