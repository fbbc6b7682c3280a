import { Button } from "@mantine/core";
import { IconCheck } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Conversation } from "../../client/schema";
import { ChoiceField } from "../../parts/ChoiceField";
import { tellProblem } from "../../parts/tell";
import { assigneeOf, readAssignee, useAssignees } from "./assignees";

/** Who cares for a conversation, and its end. */
export function Care({ conversation }: { conversation: Conversation }) {
  const { t } = useTranslation("conversations");
  const queries = useQueryClient();
  const known = useAssignees();
  const value = assigneeOf(conversation);
  // Until the names are there, or when the user is active no more.
  const choices = value === undefined || known.some((one) => one.value === value) ? known : [{ value, label: "…" }, ...known];
  const path = { params: { path: { id: conversation.id } } };
  const done = {
    onSuccess: (changed: Conversation) => {
      queries.setQueryData(["get", "/api/v1/conversations/{id}", path], changed);
      void queries.invalidateQueries({ queryKey: ["get", "/api/v1/conversations"] });
    },
    onError: tellProblem,
  };
  const assign = api.useMutation("post", "/api/v1/conversations/{id}/assign", done);
  const close = api.useMutation("post", "/api/v1/conversations/{id}/close", done);
  return (
    <>
      <ChoiceField label={t("assign")} none={t("nobody")} choices={choices} value={value} onChange={(next) => assign.mutate({ ...path, body: readAssignee(next) })} />
      {conversation.status === "open" && (
        <Button variant="default" size="sm" loading={close.isPending} onClick={() => close.mutate(path)} leftSection={<IconCheck size={16} aria-hidden />} aria-label={t("closeNamed")}>
          {t("close")}
        </Button>
      )}
    </>
  );
}
