import { Skeleton } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** A page whose subject is not there yet. Nothing of it stays when the page comes, so nothing moves. */
export function PageLoading() {
  const { t } = useTranslation("shell");
  return (
    <div role="status" aria-label={t("loading")}>
      <Skeleton height={34} width={280} maw="70%" mb="xl" />
      <Skeleton height={240} radius="md" mb="lg" />
      <Skeleton height={180} radius="md" />
    </div>
  );
}
