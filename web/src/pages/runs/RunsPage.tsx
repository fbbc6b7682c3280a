// All runs as they go, and failures by their cause.

import { Button, Tabs } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconBan } from "@tabler/icons-react";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { ChoiceField } from "../../parts/ChoiceField";
import classes from "../../parts/list.module.css";
import { PageTitle } from "../../parts/PageTitle";
import { RUN_STATUSES } from "../../parts/RunStatus";
import { SearchField } from "../../parts/SearchField";
import { Failures } from "./Failures";
import { RunsTable } from "./RunsTable";

const BulkRepairDialog = lazy(() => import("./BulkRepairDialog").then((module) => ({ default: module.BulkRepairDialog })));
const route = getRouteApi("/runs");

export function RunsPage() {
  const { t } = useTranslation("runs");
  const { view, ...filter } = route.useSearch();
  const navigate = route.useNavigate();
  const [cancelling, { open, close }] = useDisclosure(false);
  const workflows = api.useQuery("get", "/api/v1/workflows", { params: { query: { limit: 100 } } });
  const change = (next: Partial<ReturnType<typeof route.useSearch>>) => void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  const names = (workflows.data?.items ?? []).map(({ name }) => name);
  return (
    <>
      <PageTitle title={t("title")}>{t("about")}</PageTitle>
      <Tabs value={view ?? "list"} onChange={(next) => change({ view: next === "failures" ? "failures" : undefined })} keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="list">{t("tab.list")}</Tabs.Tab>
          <Tabs.Tab value="failures">{t("tab.failures")}</Tabs.Tab>
        </Tabs.List>
        <div className={classes.filters}>
          <ChoiceField label={t("filter.workflow")} choices={names.map((name) => ({ value: name, label: name }))} value={filter.workflow} onChange={(workflow) => change({ workflow })} />
          {view !== "failures" && (
            <>
              <ChoiceField
                label={t("filter.status")}
                choices={RUN_STATUSES.map((status) => ({ value: status, label: t(`status.${status}`) }))}
                value={filter.status}
                onChange={(status) => change({ status })}
              />
              <SearchField label={t("filter.key")} value={filter.key ?? ""} onChange={(key) => change({ key: key === "" ? undefined : key })} />
              {filter.workflow !== undefined && (
                <Button variant="default" leftSection={<IconBan size={16} aria-hidden />} onClick={open}>
                  {t("bulk.cancelThese")}
                </Button>
              )}
            </>
          )}
        </div>
        <Tabs.Panel value="list">
          <RunsTable filter={filter} />
        </Tabs.Panel>
        <Tabs.Panel value="failures">
          <Failures workflow={filter.workflow} />
        </Tabs.Panel>
      </Tabs>
      <Suspense>{cancelling && filter.workflow !== undefined && <BulkRepairDialog action="cancel" filter={{ workflow: filter.workflow, key: filter.key }} close={close} />}</Suspense>
    </>
  );
}
