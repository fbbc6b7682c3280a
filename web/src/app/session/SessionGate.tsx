import { Center } from "@mantine/core";
import type { ReactNode } from "react";
import { Loading } from "../../parts/Loading";
import { LoadFailed } from "../../parts/LoadFailed";
import { SignInPage } from "./SignInPage";
import { useSessionQuery } from "./session";

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
