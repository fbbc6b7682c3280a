import { TagsInput } from "@mantine/core";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { TagsProps } from "./Tags";

/** Tags, changed in place, by somebody who is doing so already; `typed`: what was written before this was here. */
export function TagsField({ tags, change, typed }: TagsProps & { typed: string }) {
  const { t } = useTranslation("contacts");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return <TagsInput ref={field} aria-label={t("column.tags")} placeholder={t("addTag")} value={tags} onChange={change} defaultSearchValue={typed} />;
}
