// What the server says is wrong with the text, a moment after each change.
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { client } from "../../client/http";
import type { Problem } from "./problems";

async function validate(source: string): Promise<Problem[]> {
  const { data, error } = await client.POST("/api/v1/workflows/validate", { body: { source } });
  if (error) throw error as unknown as Error;
  return data.problems;
}

const NONE: readonly Problem[] = [];

/** The problems of a text; `fresh` when they are of this very text. */
export function useValidation(source: string): { problems: readonly Problem[]; fresh: boolean } {
  const [settled] = useDebouncedValue(source, 250);
  const { data, isPlaceholderData, isFetching } = useQuery({
    queryKey: ["builder", "validate", settled],
    queryFn: () => validate(settled),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    placeholderData: (before) => before,
  });
  return { problems: data ?? NONE, fresh: data !== undefined && !isPlaceholderData && !isFetching && settled === source };
}
