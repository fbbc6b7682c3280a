// Changes a contact. Somebody else may do so at the same time: what both changed is shown, and nothing is overwritten unseen.

import { Alert, Button, Group, Modal, SimpleGrid, Skeleton, Stack, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../../client/http";
import type { Contact } from "../../../client/schema";
import { isAllAt, mistakeAt } from "../../../parts/field-errors";
import { Lines } from "../../../parts/Lines";
import { LoadFailed } from "../../../parts/LoadFailed";
import { explain } from "../../../parts/problem";
import { Conflicts } from "./Conflicts";
import { Fields } from "./Fields";
import type { ContactForm } from "./form";
import { beginEdit, type Edit, save } from "./store";
import { useFocusBack } from "../../../parts/useFocusBack";

export function EditContact({ id, close, saved }: { id: string; close: () => void; saved: (contact: Contact) => void }) {
  const { t } = useTranslation(["contacts", "shell"]);
  useFocusBack();
  // Read anew for each opening, and never again under what is being typed.
  const begun = useQuery({ queryKey: ["contact to edit", id], queryFn: () => beginEdit(id), gcTime: 0, staleTime: Number.POSITIVE_INFINITY, refetchOnReconnect: false });
  return (
    <Modal opened onClose={close} size="lg" title={t("contacts:edit.title")} closeButtonProps={{ "aria-label": t("shell:close") }}>
      {begun.isPending && <Skeleton height={420} />}
      {begun.isError && <LoadFailed error={begun.error} retry={begun.refetch} />}
      {begun.data !== undefined && <Form begun={begun.data} close={close} saved={saved} />}
    </Modal>
  );
}

/** Where the server tells mistakes that stand beside their fields. */
const PLACES = ["/name", "/first_name", "/last_name", "/phones", "/emails", "/language", "/timezone", "/score", "/fields"];

function Form({ begun, close, saved }: { begun: Edit; close: () => void; saved: (contact: Contact) => void }) {
  const { t } = useTranslation(["contacts", "shell"]);
  const [edit, setEdit] = useState(begun);
  const { form } = edit;
  const change = (part: Partial<ContactForm>) => setEdit((before) => ({ ...before, form: { ...before.form, ...part } }));
  const send = useMutation({
    mutationFn: save,
    onSuccess: (outcome) => {
      if ("saved" in outcome) {
        saved(outcome.saved);
        close();
      } else {
        setEdit(outcome.conflicting);
      }
    },
  });
  const text = (part: "name" | "first_name" | "last_name" | "language" | "timezone" | "score" | "company") => ({
    value: form[part],
    onChange: (event: { currentTarget: { value: string } }) => change({ [part]: event.currentTarget.value }),
    error: mistakeAt(send.error, `/${part}`),
    autoComplete: "off",
  });
  const list = (part: "phones" | "emails") => ({
    lines: form[part],
    onChange: (lines: string[]) => change({ [part]: lines }),
    errorAt: (index: number) => mistakeAt(send.error, `/${part}/${index}`) ?? (index === 0 ? mistakeAt(send.error, `/${part}`) : null),
  });
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send.mutate(edit);
      }}
    >
      <Stack>
        <Conflicts edit={edit} take={(part) => setEdit((before) => ({ ...before, form: { ...before.form, [part]: before.base[part] }, conflicts: before.conflicts.filter((one) => one !== part) }))} />
        {send.error !== null && !isAllAt(send.error, PLACES) && (
          <Alert color="red" role="alert">
            {explain(send.error)}
          </Alert>
        )}
        <TextInput label={t("contacts:field.name")} data-autofocus {...text("name")} />
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <TextInput label={t("contacts:edit.firstName")} {...text("first_name")} />
          <TextInput label={t("contacts:edit.lastName")} {...text("last_name")} />
        </SimpleGrid>
        <SimpleGrid cols={{ base: 1, xs: 2 }}>
          <Lines label={t("contacts:edit.phones")} labelOf={(number) => t("contacts:edit.phone", { number })} add={t("contacts:edit.addPhone")} type="tel" {...list("phones")} />
          <Lines label={t("contacts:edit.emails")} labelOf={(number) => t("contacts:edit.email", { number })} add={t("contacts:edit.addEmail")} type="email" {...list("emails")} />
        </SimpleGrid>
        <CompanyField {...text("company")} />
        <SimpleGrid cols={{ base: 1, xs: 3 }}>
          <TextInput label={t("contacts:language")} placeholder={t("contacts:edit.languageExample")} dir="ltr" {...text("language")} />
          <TimezoneField {...text("timezone")} />
          <TextInput label={t("contacts:edit.score")} type="number" dir="ltr" {...text("score")} />
        </SimpleGrid>
        <Fields fields={form.fields} error={mistakeAt(send.error, "/fields", true)} onChange={(fields) => change({ fields })} />
        <Group justify="flex-end">
          <Button variant="default" onClick={close}>
            {t("shell:cancel")}
          </Button>
          <Button type="submit" loading={send.isPending}>
            {t("contacts:save")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

interface TextProps {
  value: string;
  onChange: (event: { currentTarget: { value: string } }) => void;
  error: string | null;
  autoComplete: string;
}

function CompanyField(props: TextProps) {
  const { t } = useTranslation("contacts");
  const choices = useId();
  const companies = api.useQuery("get", "/api/v1/companies", { params: { query: { limit: 100 } } });
  return (
    <>
      <TextInput label={t("company")} description={t("edit.companyHint")} list={choices} {...props} />
      <datalist id={choices}>
        {companies.data?.items.map(({ id, name }) => (
          <option key={id} value={name} />
        ))}
      </datalist>
    </>
  );
}

function TimezoneField(props: TextProps) {
  const { t } = useTranslation("contacts");
  const choices = useId();
  return (
    <>
      <TextInput label={t("timezone")} placeholder={t("edit.timezoneExample")} dir="ltr" list={choices} {...props} />
      <datalist id={choices}>
        {Intl.supportedValuesOf("timeZone").map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </>
  );
}
