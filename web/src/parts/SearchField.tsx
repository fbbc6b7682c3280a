import { CloseButton, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

const REST_MS = 220;

/** A field that filters while one types, after a short rest. */
export function SearchField({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  const { t } = useTranslation("shell");
  const [typed, setTyped] = useState(value);
  const said = useRef(value);
  const say = useDebouncedCallback((next: string) => {
    said.current = next;
    onChange(next);
  }, REST_MS);
  useEffect(() => {
    // Changed from elsewhere: the browser went back, a link cleared it.
    if (value !== said.current) {
      said.current = value;
      setTyped(value);
    }
  }, [value]);
  const type = (next: string) => {
    setTyped(next);
    say(next);
  };
  return (
    <TextInput
      type="search"
      aria-label={label}
      placeholder={label}
      value={typed}
      onChange={(event) => type(event.currentTarget.value)}
      leftSection={<IconSearch size={16} aria-hidden />}
      rightSection={typed === "" ? null : <CloseButton size="sm" aria-label={t("clear")} onClick={() => type("")} />}
      flex={1}
      miw={180}
      maw={360}
    />
  );
}
