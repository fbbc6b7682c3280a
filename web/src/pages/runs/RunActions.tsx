// What can be done to a run as it stands: the dialogs are opened only when they are wanted.

import { Button, Menu } from "@mantine/core";
import { IconBan, IconChevronDown, IconGitFork, IconPlayerPause, IconPlayerPlay, IconPlayerSkipForward, IconRefresh } from "@tabler/icons-react";
import { lazy, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Run } from "../../client/schema";
import { tellProblem } from "../../parts/tell";
import type { Chapter } from "./story";
import { useLookAgain } from "./look-again";

const CancelDialog = lazy(() => import("./CancelDialog").then((module) => ({ default: module.CancelDialog })));
const ForkDialog = lazy(() => import("./ForkDialog").then((module) => ({ default: module.ForkDialog })));
const RetryDialog = lazy(() => import("./RetryDialog").then((module) => ({ default: module.RetryDialog })));
const SkipDialog = lazy(() => import("./SkipDialog").then((module) => ({ default: module.SkipDialog })));

type Dialog = "cancel" | "retry" | "skip" | "fork";

export function RunActions({ run, chapters }: { run: Run; chapters: readonly Chapter[] }) {
  const { t } = useTranslation("runs");
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const look = useLookAgain(run.id);
  const pause = api.useMutation("post", "/api/v1/runs/{id}/pause", { onSuccess: look, onError: tellProblem });
  const resume = api.useMutation("post", "/api/v1/runs/{id}/resume", { onSuccess: look, onError: tellProblem });
  const lives = run.ended_at === null;
  const path = { params: { path: { id: run.id } } };
  const close = () => setDialog(null);
  return (
    <>
      {run.status === "failed" && (
        <>
          <Button leftSection={<IconRefresh size={16} aria-hidden />} onClick={() => setDialog("retry")}>
            {t("action.retry")}
          </Button>
          <Button variant="default" leftSection={<IconPlayerSkipForward size={16} aria-hidden className="onward-flip" />} onClick={() => setDialog("skip")}>
            {t("action.skip")}
          </Button>
        </>
      )}
      {(run.status === "paused" || run.status === "held") && (
        <Button leftSection={<IconPlayerPlay size={16} aria-hidden />} loading={resume.isPending} onClick={() => resume.mutate(path)}>
          {t("action.resume")}
        </Button>
      )}
      {lives && run.status !== "paused" && run.status !== "held" && (
        <Button variant="default" leftSection={<IconPlayerPause size={16} aria-hidden />} loading={pause.isPending} onClick={() => pause.mutate({ ...path, body: {} })}>
          {t("action.pause")}
        </Button>
      )}
      <Menu position="bottom-end" withInitialFocusPlaceholder={false}>
        <Menu.Target>
          <Button variant="default" rightSection={<IconChevronDown size={16} aria-hidden />}>
            {t("action.more")}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconGitFork size={16} aria-hidden />} onClick={() => setDialog("fork")}>
            {t("action.fork")}
          </Menu.Item>
          {lives && (
            <Menu.Item color="red" leftSection={<IconBan size={16} aria-hidden />} onClick={() => setDialog("cancel")}>
              {t("action.cancel")}
            </Menu.Item>
          )}
        </Menu.Dropdown>
      </Menu>
      <Suspense>
        {dialog === "cancel" && <CancelDialog run={run} close={close} />}
        {dialog === "retry" && <RetryDialog run={run} chapters={chapters} close={close} />}
        {dialog === "skip" && <SkipDialog run={run} close={close} />}
        {dialog === "fork" && <ForkDialog run={run} chapters={chapters} close={close} />}
      </Suspense>
    </>
  );
}
