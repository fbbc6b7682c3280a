// The builder: the page of one workflow. Loaded when it is opened, never with the first page.

import { useTranslation } from "react-i18next";

export function WorkflowPage({ name }: { name: string }) {
  const { t } = useTranslation("builder");
  return (
    <section aria-label={t("title")}>
      <h1>{name}</h1>
    </section>
  );
}
