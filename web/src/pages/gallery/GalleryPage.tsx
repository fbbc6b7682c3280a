// Ready automations: what each does, what it needs, and one button to make it one's own.

import { Badge, Button, Group, Text, Title } from "@mantine/core";
import { IconSearchOff } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { GalleryItem } from "../../client/schema";
import { EmptyState } from "../../parts/EmptyState";
import { folded } from "../../parts/folded";
import listClasses from "../../parts/list.module.css";
import { LoadFailed } from "../../parts/LoadFailed";
import { PageTitle } from "../../parts/PageTitle";
import { RowsLoading } from "../../parts/RowsLoading";
import { SearchField } from "../../parts/SearchField";
import { tellProblem } from "../../parts/tell";
import { freeName, renamed } from "../workflows/names";
import classes from "./Gallery.module.css";

export function GalleryPage() {
  const { t } = useTranslation("gallery");
  const [typed, setTyped] = useState("");
  const gallery = api.useQuery("get", "/api/v1/gallery", undefined, { staleTime: Number.POSITIVE_INFINITY });
  const words = folded(typed).split(/\s+/).filter(Boolean);
  const fits = (item: GalleryItem) => words.every((word) => folded(`${item.name} ${item.description}`).includes(word));
  const items = gallery.data?.items.filter(fits) ?? [];
  return (
    <>
      <PageTitle title={t("title")}>{t("about")}</PageTitle>
      <div className={listClasses.filters}>
        <SearchField label={t("search")} value={typed} onChange={setTyped} />
      </div>
      {gallery.isPending && <RowsLoading rows={6} />}
      {gallery.isError && <LoadFailed error={gallery.error} retry={gallery.refetch} />}
      {gallery.isSuccess && items.length === 0 && <EmptyState icon={IconSearchOff} title={t("noneFits")} />}
      <ul className={classes.cards}>
        {items.map((item) => (
          <Card key={item.name} item={item} />
        ))}
      </ul>
    </>
  );
}

function Card({ item }: { item: GalleryItem }) {
  const { t } = useTranslation("gallery");
  const navigate = useNavigate();
  const workflows = api.useQuery("get", "/api/v1/workflows", { params: { query: { limit: 100 } } });
  const use = api.useMutation("put", "/api/v1/workflows/{name}/draft", {
    onSuccess: ({ workflow }) => void navigate({ to: "/workflows/$name", params: { name: workflow }, search: {} }),
    onError: tellProblem,
  });
  const start = () => {
    const name = freeName(item.name, new Set(workflows.data?.items.map((workflow) => workflow.name)));
    use.mutate({ params: { path: { name } }, body: { source: name === item.name ? item.source : renamed(item.source, name) } });
  };
  const { connections, segments, teams, templates, workflows: others } = item.needs;
  const needs = [
    ...connections.map((name) => t("needs.connection", { name })),
    ...templates.map((name) => t("needs.template", { name })),
    ...teams.map((name) => t("needs.team", { name })),
    ...segments.map((name) => t("needs.segment", { name })),
    ...others.map((name) => t("needs.workflow", { name })),
  ];
  return (
    <li className={classes.card}>
      <Title order={2} size="h3">
        <bdi>{item.name}</bdi>
      </Title>
      <Text size="sm" c="dimmed" className={classes.text} dir="auto">
        {item.description}
      </Text>
      {needs.length > 0 && (
        <Group gap={6}>
          <span className={listClasses.quiet}>{t("needs.title")}</span>
          {needs.map((need) => (
            <Badge key={need} variant="default" tt="none" fw={500}>
              {need}
            </Badge>
          ))}
        </Group>
      )}
      <Button variant="light" loading={use.isPending} disabled={workflows.isPending} onClick={start} aria-label={t("useNamed", { name: item.name })}>
        {t("use")}
      </Button>
    </li>
  );
}
