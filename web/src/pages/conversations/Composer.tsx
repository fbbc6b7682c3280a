// Where an answer is written. What was typed is never lost: neither to an ended session, nor to a server that is away, nor to
// a reload. One answer is sent once however often it is tried, by its key.

import { Alert, Button, Textarea } from "@mantine/core";
import { IconSend } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { type KeyboardEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { keep, kept } from "../../parts/kept";
import { explain } from "../../parts/problem";
import classes from "./Conversations.module.css";

export function Composer({ conversation }: { conversation: string }) {
  const { t } = useTranslation(["conversations", "shell"]);
  const queries = useQueryClient();
  const place = `answer ${conversation}`;
  const [text, setText] = useState(() => kept(place) ?? "");
  const [attempt, setAttempt] = useState(() => crypto.randomUUID());
  const latest = useRef(text);
  const type = (next: string) => {
    latest.current = next;
    setText(next);
    keep(place, next === "" ? null : next);
  };
  const send = api.useMutation("post", "/api/v1/conversations/{id}/messages", {
    onSuccess: (_answer, { body }) => {
      // Whoever wrote on meanwhile keeps that.
      if (latest.current === body.text) {
        type("");
      }
      setAttempt(crypto.randomUUID());
      void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[1] === "/api/v1/conversations/{id}/messages" });
    },
  });
  const submit = () => {
    if (text.trim() !== "" && !send.isPending) {
      send.mutate({ params: { path: { id: conversation }, header: { "Idempotency-Key": attempt } }, body: { text } });
    }
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      submit();
    }
  };
  return (
    <form
      className={classes.composer}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {send.error !== null && (
        <Alert color="red" role="alert">
          {explain(send.error)}
        </Alert>
      )}
      <Textarea
        aria-label={t("conversations:answer")}
        placeholder={t("conversations:answerHint")}
        value={text}
        onChange={(event) => type(event.currentTarget.value)}
        onKeyDown={press}
        autosize
        minRows={1}
        maxRows={8}
        maxLength={4096}
        // The hint reads as the page does, what is typed as it is written.
        dir={text === "" ? undefined : "auto"}
      />
      <Button type="submit" loading={send.isPending} disabled={text.trim() === ""} leftSection={<IconSend size={16} aria-hidden className="onward-flip" />}>
        {t("conversations:send")}
      </Button>
    </form>
  );
}
