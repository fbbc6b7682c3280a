import { Button, Center } from "@mantine/core";
import { useTranslation } from "react-i18next";

/** The next page of a list. */
export function MoreButton({ list, children }: { list: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown }; children?: string }) {
  const { t } = useTranslation("shell");
  if (!list.hasNextPage) {
    return null;
  }
  return (
    <Center my="md">
      <Button variant="default" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
        {children ?? t("more")}
      </Button>
    </Center>
  );
}
