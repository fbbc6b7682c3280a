// What the builder knows of the server's catalogue: nodes, event types, and the names in the organisation that steps refer to.
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { client } from "../../client/http";
import type { Node } from "../../client/schema";

export type CatalogueNode = Node;

const HOUR = 3_600_000;

async function allNodes(): Promise<Node[]> {
  const { data, error } = await client.GET("/api/v1/nodes");
  if (error) throw error as unknown as Error;
  return data.items;
}

async function allEventTypes(): Promise<string[]> {
  const { data, error } = await client.GET("/api/v1/event-types");
  if (error) throw error as unknown as Error;
  return data.items.map((item) => item.type);
}

const NO_NODES: readonly Node[] = [];
const NO_TYPES: readonly string[] = [];

/** The nodes that a `do` can run, by id. */
export function useNodes(): { nodes: ReadonlyMap<string, Node>; list: readonly Node[] } {
  const { data = NO_NODES } = useQuery({ queryKey: ["builder", "nodes"], queryFn: allNodes, staleTime: HOUR });
  return useMemo(() => ({ nodes: new Map(data.map((node) => [node.id, node])), list: data }), [data]);
}

/** The event types that somebody declares; others are allowed. */
export function useEventTypes(): readonly string[] {
  const { data = NO_TYPES } = useQuery({ queryKey: ["builder", "event-types"], queryFn: allEventTypes, staleTime: HOUR });
  return data;
}
