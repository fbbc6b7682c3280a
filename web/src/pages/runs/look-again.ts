import { useQueryClient } from "@tanstack/react-query";

/** Reads a run again after something was done to it: its answers may come before the socket's word. */
export function useLookAgain(id: string): () => void {
  const queries = useQueryClient();
  return () => {
    const paths = ["/api/v1/runs/{id}", "/api/v1/runs/{id}/history", "/api/v1/runs/{id}/why", "/api/v1/runs"];
    void queries.invalidateQueries({
      predicate: ({ queryKey }) => paths.includes(String(queryKey[1])) && (queryKey[1] === "/api/v1/runs" || JSON.stringify(queryKey[2]).includes(id)),
    });
  };
}
