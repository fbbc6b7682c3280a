// Settings in a first form: what is connected, who may sign in, which programs have a token.

import { Tabs } from "@mantine/core";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { PageTitle } from "../../parts/PageTitle";
import { RowsLoading } from "../../parts/RowsLoading";
import { Connections } from "./Connections";

const Tokens = lazy(() => import("./Tokens").then((module) => ({ default: module.Tokens })));
const Users = lazy(() => import("./Users").then((module) => ({ default: module.Users })));
const route = getRouteApi("/settings");

export function SettingsPage() {
  const { t } = useTranslation("settings");
  const { tab } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <>
      <PageTitle title={t("title")} />
      <Tabs
        value={tab ?? "connections"}
        onChange={(next) => void navigate({ search: { tab: next === "connections" ? undefined : (next ?? undefined) }, replace: true })}
        keepMounted={false}
      >
        <Tabs.List mb="lg">
          <Tabs.Tab value="connections">{t("tab.connections")}</Tabs.Tab>
          <Tabs.Tab value="users">{t("tab.users")}</Tabs.Tab>
          <Tabs.Tab value="tokens">{t("tab.tokens")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="connections">
          <Connections />
        </Tabs.Panel>
        <Tabs.Panel value="users">
          <Suspense fallback={<RowsLoading rows={3} />}>
            <Users />
          </Suspense>
        </Tabs.Panel>
        <Tabs.Panel value="tokens">
          <Suspense fallback={<RowsLoading rows={3} />}>
            <Tokens />
          </Suspense>
        </Tabs.Panel>
      </Tabs>
    </>
  );
}
