import { Center } from "@mantine/core";
import { lazy, type ReactNode } from "react";
import { Loading } from "../../parts/Loading";
import { LoadFailed } from "../../parts/LoadFailed";
import { useSessionQuery } from "./session";

const SignInPage = lazy(() => import("./SignInPage").then((module) => ({ default: module.SignInPage })));

/** Lets whoever is signed in pass; asks everybody else to sign in. */
export function SessionGate({ children }: { children: ReactNode }) {
  const { data, error, nobody, refetch } = useSessionQuery();
  if (data !== undefined) {
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
