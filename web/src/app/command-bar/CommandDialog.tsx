// The command bar when it is open: a list box in a dialog. The letters go to the field, the arrow keys to the list.

import { Modal, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useRouter } from "@tanstack/react-router";
import { type KeyboardEvent, useId, useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { PLACES } from "../shell/navigation";
import classes from "./CommandBar.module.css";
import { type Entry, fitting, moved } from "./entries";

export function CommandDialog({ close }: { close: () => void }) {
  const { t } = useTranslation("shell");
  return (
    <Modal.Root opened onClose={close} yOffset="12vh" size="lg" padding={0}>
      <Modal.Overlay />
      <Modal.Content aria-label={t("commandBar.title")}>
        <Modal.Body p={0}>
          <Search close={close} />
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

/** At once, before the dialog has opened: one types on. */
function focus(field: HTMLInputElement | null): void {
  field?.focus();
}

function useEntries(typed: string): Entry[] {
  const { t } = useTranslation("shell");
  const [asked] = useDebouncedValue(typed.trim(), 120);
  const enabled = asked.length >= 2;
  const contacts = api.useQuery("get", "/api/v1/contacts", { params: { query: { q: asked, limit: 6 } } }, { enabled });
  const workflows = api.useQuery("get", "/api/v1/workflows", { params: { query: { limit: 100 } } });
  const places = PLACES.map((place): Entry => ({ key: place.name, group: "places", label: t(`place.${place.name}`), to: place.to }));
  const named = (workflows.data?.items ?? []).map(
    ({ name }): Entry => ({ key: `workflow ${name}`, group: "workflows", label: name, to: `/workflows/${encodeURIComponent(name)}` }),
  );
  const found = enabled ? (contacts.data?.items ?? []) : [];
  const people = found.map((contact): Entry => {
    const detail = contact.phone ?? contact.email;
    return { key: contact.id, group: "contacts", label: contact.name ?? detail ?? contact.id, to: `/contacts/${contact.id}`, ...(detail === null ? {} : { detail }) };
  });
  return [...fitting(places, typed), ...people, ...fitting(named, typed).slice(0, 8)];
}

function Search({ close }: { close: () => void }) {
  const { t } = useTranslation("shell");
  const router = useRouter();
  const list = useId();
  const [typed, setTyped] = useState("");
  const [chosen, setChosen] = useState(0);
  const entries = useEntries(typed);
  const at = Math.min(chosen, Math.max(entries.length - 1, 0));
  const go = (entry: Entry | undefined) => {
    if (entry !== undefined) {
      close();
      void router.navigate({ to: entry.to });
    }
  };
  const press = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      setChosen(moved(at, by, entries.length));
    } else if (event.key === "Enter") {
      event.preventDefault();
      go(entries[at]);
    }
  };
  const option = (index: number) => `${list}-${index}`;
  return (
    <>
      <TextInput
        ref={focus}
        data-autofocus
        size="lg"
        variant="unstyled"
        className={classes.field}
        leftSection={<IconSearch size={20} aria-hidden />}
        placeholder={t("commandBar.placeholder")}
        aria-label={t("commandBar.title")}
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={entries.length > 0 ? option(at) : undefined}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={press}
      />
      <div id={list} role="listbox" aria-label={t("commandBar.results")} className={classes.list}>
        {entries.map((entry, index) => (
          // The field keeps the focus; keys are heard there.
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
          <div
            key={entry.key}
            id={option(index)}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            className={classes.option}
            onClick={() => go(entry)}
            onPointerMove={() => setChosen(index)}
            ref={index === at ? (element) => element?.scrollIntoView({ block: "nearest" }) : undefined}
          >
            <bdi>{entry.label}</bdi>
            <span className={classes.group}>{entry.detail ?? t(`commandBar.group.${entry.group}`)}</span>
          </div>
        ))}
      </div>
      {entries.length === 0 && <p className={classes.nothing}>{t("commandBar.nothing")}</p>}
    </>
  );
}
