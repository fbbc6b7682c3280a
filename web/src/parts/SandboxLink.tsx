import { Button } from "@mantine/core";
import { IconExternalLink } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../client/http";

/** Where the demonstration's customer writes; on a server that is no demonstration, what else one can do. */
export function SandboxLink({ otherwise = null, variant = "filled" }: { otherwise?: ReactNode; variant?: string }) {
  const { t } = useTranslation("shell");
  const about = api.useQuery("get", "/api/v1/about", undefined, { staleTime: Number.POSITIVE_INFINITY });
  const address = about.data?.sandbox_url;
  if (address === null || address === undefined) {
    return about.isPending ? null : otherwise;
  }
  return (
    <Button component="a" href={address} target="_blank" rel="noreferrer" variant={variant} rightSection={<IconExternalLink size={16} aria-hidden />}>
      {t("sandbox.open")}
    </Button>
  );
}
