// The builder: the page of one workflow. Loaded when it is opened, never with the first page.
import "./mantine.css";
import { useQuery } from "@tanstack/react-query";
import { LoadFailed } from "../parts/LoadFailed";
import { Loading } from "../parts/Loading";
import { useWaiting } from "../parts/useWaiting";
import { BuilderPage } from "./Builder";
import { loadWorkflow } from "./session/draft";

export function WorkflowPage({ name }: { name: string }) {
  const stored = useQuery({ queryKey: ["builder", "workflow", name], queryFn: () => loadWorkflow(name), staleTime: 0, gcTime: 0, refetchOnMount: "always", refetchOnReconnect: false, structuralSharing: false });
  const waiting = useWaiting(stored.data === undefined || (stored.isFetching && !stored.isFetchedAfterMount));
  if (stored.error) return <LoadFailed error={stored.error} retry={stored.refetch} />;
  if (waiting || stored.data === undefined) return <Loading />;
  return <BuilderPage name={name} stored={stored.data} />;
}
