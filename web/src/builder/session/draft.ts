// The draft on the server: read once, saved a moment after each change, and put together with what somebody else saves meanwhile.
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import { client, problemOf } from "../../client/http";
import { merge } from "./merge";

export interface Stored {
  source: string;
  /** Of the draft; `null` when there is none yet. */
  etag: string | null;
  /** The published file that new events start. */
  published: string | null;
  version: number | null;
  by: string | null;
}

/** A first file for a workflow that is not there yet. */
export function firstFile(name: string): string {
  return `name: ${name}\non:\n  - manual:\n\nsteps: []\n`;
}

/** What the builder begins with: the draft, else the current version, else a first file. */
export async function loadWorkflow(name: string): Promise<Stored> {
  const [workflow, draft] = await Promise.all([client.GET("/api/v1/workflows/{name}", { params: { path: { name } } }), readDraft(name)]);
  if (workflow.error && workflow.response.status !== 404) throw workflow.error as unknown as Error;
  const published = workflow.data?.source ?? null;
  return {
    source: draft?.source ?? published ?? firstFile(name),
    etag: draft?.etag ?? null,
    published,
    version: workflow.data?.current_version ?? null,
    by: draft?.by ?? null,
  };
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
): { saving: Saving; conflict: Conflict | null; resolve: (source: string) => void; saveNow: () => Promise<boolean>; forget: (source: string, etag: string | null) => void } {
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
  const saveNow = useCallback(async () => (await save()) || (await save()), [save]);
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
