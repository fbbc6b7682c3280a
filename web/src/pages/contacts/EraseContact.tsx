import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import type { Contact } from "../../client/schema";
import { calledBy } from "../../parts/people";
import { DeedDialog } from "../runs/DeedDialog";

/** Erases somebody's data, after a question: it does not come back. */
export function EraseContact({ contact, close }: { contact: Contact; close: () => void }) {
  const { t } = useTranslation("contacts");
  const queries = useQueryClient();
  const navigate = useNavigate();
  const erase = api.useMutation("delete", "/api/v1/contacts/{id}", {
    onSuccess: async () => {
      close();
      await navigate({ to: "/contacts", search: {} });
      void queries.invalidateQueries({ queryKey: ["get", "/api/v1/contacts"] });
    },
  });
  return (
    <DeedDialog
      title={t("erase.title", { name: calledBy(contact, t("nameless")) })}
      text={t("erase.text")}
      submit={t("erase.submit")}
      danger
      pending={erase.isPending}
      error={erase.error}
      close={close}
      onSubmit={() => erase.mutate({ params: { path: { id: contact.id } } })}
    />
  );
}
