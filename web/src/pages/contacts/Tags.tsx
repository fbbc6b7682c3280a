// Tags as they are, at once; the field that changes them is large and comes when somebody is about to.

import { Pill, PillsInput } from "@mantine/core";
import { type ComponentType, useState } from "react";
import { useTranslation } from "react-i18next";

export interface TagsProps {
  tags: string[];
  change: (next: string[]) => void;
}

export function Tags({ tags, change }: TagsProps) {
  const { t } = useTranslation("contacts");
  const [Field, setField] = useState<ComponentType<TagsProps & { typed: string }> | null>(null);
  const [typed, setTyped] = useState("");
  const want = async () => {
    const { TagsField } = await import("./TagsField");
    setField(() => TagsField);
  };
  if (Field !== null) {
    return <Field tags={tags} change={change} typed={typed} />;
  }
  // As the field looks, and as high; what is typed before it is here goes on there.
  return (
    <PillsInput>
      <Pill.Group>
        {tags.map((tag) => (
          <Pill key={tag} withRemoveButton onRemove={() => change(tags.filter((one) => one !== tag))}>
            {tag}
          </Pill>
        ))}
        <PillsInput.Field
          aria-label={t("column.tags")}
          placeholder={t("addTag")}
          value={typed}
          onFocus={() => void want()}
          onChange={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={(event) => {
            const tag = typed.trim();
            if (event.key === "Enter" && tag !== "" && !tags.includes(tag)) {
              change([...tags, tag]);
              setTyped("");
            }
          }}
        />
      </Pill.Group>
    </PillsInput>
  );
}
