import { Alert, Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import type { FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { explain } from "../../parts/problem";
import { said } from "../../parts/said";
import { useFocusBack } from "../../parts/useFocusBack";

/** Makes a contact, or completes the one who has this phone or e-mail already; opens it either way. */
export function NewContact({ opened, close }: { opened: boolean; close: () => void }) {
  const { t } = useTranslation(["contacts", "shell"]);
  useFocusBack();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const make = api.useMutation("post", "/api/v1/contacts", {
    onSuccess: (contact) => {
      close();
      void queries.invalidateQueries({ queryKey: ["get", "/api/v1/contacts"] });
      void navigate({ to: "/contacts/$id", params: { id: contact.id } });
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = said(event.currentTarget);
    const orNull = (name: string) => (text(name).trim() === "" ? null : text(name).trim());
    make.mutate({ body: { name: orNull("name"), phone: orNull("phone"), email: orNull("email") } });
  };
  return (
    <Modal opened={opened} onClose={close} title={t("contacts:add")} closeButtonProps={{ "aria-label": t("shell:close") }}>
      <form onSubmit={submit}>
        <Stack>
          {make.error !== null && (
            <Alert color="red" role="alert">
              {explain(make.error)}
            </Alert>
          )}
          <TextInput label={t("contacts:field.name")} required data-autofocus autoComplete="off" name="name" />
          <TextInput label={t("contacts:field.phone")} type="tel" autoComplete="off" dir="ltr" name="phone" />
          <TextInput label={t("contacts:field.email")} type="email" autoComplete="off" dir="ltr" name="email" />
          <Group justify="flex-end">
            <Button variant="default" onClick={close}>
              {t("shell:cancel")}
            </Button>
            <Button type="submit" loading={make.isPending}>
              {t("contacts:save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
