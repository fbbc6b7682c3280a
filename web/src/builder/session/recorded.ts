// What runs of the workflow tell the builder: values of the last one for forms, and counters for the graph.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { client } from "../../client/http";
import type { Conversion, Counter } from "../canvas/flow";
import type { SplitStats } from "../../client/schema";
import { NO_SAMPLES, type Samples } from "../scope/scope";
import { samplesOf, type Entry } from "../scope/samples";

/** A run's whole history. */
export async function historyOf(run: string): Promise<Entry[]> {
  const { data, error } = await client.GET("/api/v1/runs/{id}/history", { params: { path: { id: run } } });
  if (error) throw error as unknown as Error;
  const items = (data as { items?: unknown }).items;
  return Array.isArray(items) ? (items as Entry[]) : [];
}

async function lastRun(workflow: string): Promise<Samples> {
  const { data } = await client.GET("/api/v1/runs", { params: { query: { workflow, limit: 1 } } });
  const run = data?.items[0];
  return run ? samplesOf(await historyOf(run.id)) : NO_SAMPLES;
}

/** Values of the newest run. */
export function useSamples(workflow: string): Samples {
  const { data = NO_SAMPLES } = useQuery({ queryKey: ["builder", "samples", workflow], queryFn: () => lastRun(workflow), staleTime: 30_000 });
  return data;
}

/** How runs stand in each step, for the graph of a published workflow. */
export function useCounters(workflow: string, published: boolean): { counters: ReadonlyMap<string, Counter>; live: number } {
  const { data } = useQuery({
    queryKey: ["builder", "stats", workflow],
    queryFn: async () => {
      const { data, error } = await client.GET("/api/v1/workflows/{name}/stats", { params: { path: { name: workflow } } });
      if (error) throw error as unknown as Error;
      return data;
    },
    enabled: published,
    refetchInterval: 10_000,
  });
  return useMemo(() => {
    const counters = new Map((data?.steps ?? []).map((step) => [step.step, { waiting: step.waiting, failed: step.failed_today, entered: step.entered, real: true }]));
    const runs = (data?.runs ?? {}) as Record<string, number>;
    return { counters, live: (runs.waiting ?? 0) + (runs.running ?? 0) + (runs.paused ?? 0) };
  }, [data]);
}

const VARIANTS_MS = 30_000;
const NO_SPLITS: readonly SplitStats[] = [];

/** How the variants of a published workflow's splits fare. */
export function useVariants(workflow: string, splits: boolean): { splits: readonly SplitStats[]; conversions: ReadonlyMap<string, Conversion> } {
  const { data = NO_SPLITS } = useQuery({
    queryKey: ["builder", "variants", workflow],
    queryFn: async () => {
      const { data, error } = await client.GET("/api/v1/workflows/{name}/variants", { params: { path: { name: workflow } } });
      if (error) throw error as unknown as Error;
      return data.splits;
    },
    enabled: splits,
    refetchInterval: VARIANTS_MS,
  });
  return useMemo(() => {
    const rows = data.flatMap((split) => split.variants.map((variant) => [`${split.step}:${variant.variant}`, { ...variant, reached: variant.reached ?? null }] as const));
    return { splits: data, conversions: new Map(rows) };
  }, [data]);
}
