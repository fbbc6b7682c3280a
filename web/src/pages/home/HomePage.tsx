import { useTranslation } from "react-i18next";
import { PageTitle } from "../../parts/PageTitle";

export function HomePage() {
  const { t } = useTranslation("home");
  return <PageTitle title={t("title")} />;
}
