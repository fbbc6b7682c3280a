import { Center } from "@mantine/core";
import { lazy, type ReactNode } from "react";
import { api } from "../../client/http";
import { Loading } from "../../parts/Loading";
import { LoadFailed } from "../../parts/LoadFailed";
import { useSessionQuery } from "../../client/session";

const SignInPage = lazy(() => import("./SignInPage").then((module) => ({ default: module.SignInPage })));

/** Lets whoever is signed in pass; asks everybody else to sign in. */
export function SessionGate({ children }: { children: ReactNode }) {
  const { data, error, nobody, refetch } = useSessionQuery();
  // Where the demonstration's customer writes stands on the first page: known before it is drawn, nothing moves.
  const about = api.useQuery("get", "/api/v1/about", undefined, { retry: false, staleTime: Number.POSITIVE_INFINITY });
  if (data !== undefined && !about.isPending) {
    return children;
  }
  if (nobody) {
    return <SignInPage />;
  }
  if (error !== null) {
    return (
      <Center mih="100vh">
        <LoadFailed error={error} retry={refetch} />
      </Center>
    );
  }
  return <Loading />;
}
