// The palette: search, arrows and Enter put a step in; or a click, or dragging one onto a line.
import { ActionIcon, ScrollArea, Text, TextInput } from "@mantine/core";
import { IconSearch, IconX } from "@tabler/icons-react";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { DRAGGED_STEP } from "../canvas/Canvas";
import type { CatalogueNode } from "../session/catalogue";
import { Tile } from "../words/Tile";
import { entriesOf, find, type Entry } from "./entries";
import styles from "./palette.module.css";

export function Palette({ nodes, where, onTake, onClose }: { nodes: readonly CatalogueNode[]; where: string; onTake: (entry: Entry) => void; onClose: () => void }) {
  const { t } = useTranslation("builder");
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const entries = useMemo(() => entriesOf(nodes, { verb: (verb) => t(`verb.${verb}`), about: (verb) => t(`about.${verb}`), flow: t("palette.flow") }), [nodes, t]);
  const found = useMemo(() => find(entries, words), [entries, words]);
  useEffect(() => field.current?.focus(), []);
  useEffect(() => {
    list.current?.querySelector(`[data-at="${at}"]`)?.scrollIntoView({ block: "nearest" });
  }, [at]);
  const keyed = (event: KeyboardEvent): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) {
      event.preventDefault();
      setAt((now) => Math.max(0, Math.min(found.length - 1, now + step)));
    } else if (event.key === "Enter") {
      event.preventDefault();
      const entry = found[at];
      if (entry) onTake(entry);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      onClose();
    }
  };
  return (
    <aside className={styles.palette} aria-label={t("palette.title")}>
      <div className={styles.head}>
        <div>
          <Text fw={600} size="sm">{t("palette.title")}</Text>
          <Text size="xs" c="dimmed" aria-live="polite">{where}</Text>
        </div>
        <ActionIcon variant="subtle" color="gray" aria-label={t("close")} onClick={onClose}><IconX size={17} /></ActionIcon>
      </div>
      <TextInput
        ref={field}
        mx="sm"
        value={words}
        placeholder={t("palette.search")}
        aria-label={t("palette.search")}
        role="combobox"
        aria-expanded
        aria-controls="palette-list"
        aria-activedescendant={found[at] ? `palette-${at}` : undefined}
        leftSection={<IconSearch size={16} />}
        onChange={(event) => { setWords(event.currentTarget.value); setAt(0); }}
        onKeyDown={keyed}
      />
      <ScrollArea className={styles.scroll} viewportRef={list} type="auto">
        <div role="listbox" id="palette-list" aria-label={t("palette.title")} className={styles.list}>
          {found.length === 0 && <Text size="sm" c="dimmed" p="sm">{t("palette.nothing")}</Text>}
          {found.map((entry, index) => (
            <div key={entry.id} role="presentation">
              {(index === 0 || found[index - 1]?.group !== entry.group) && words === "" && <div className={styles.group}>{entry.group}</div>}
              <div
                id={`palette-${index}`}
                role="option"
                aria-selected={index === at}
                data-at={index}
                data-entry={entry.id}
                className={styles.entry}
                draggable
                tabIndex={-1}
                title={entry.about}
                onMouseEnter={() => setAt(index)}
                onClick={() => onTake(entry)}
                onKeyDown={keyed}
                onDragStart={(event) => { event.dataTransfer.setData(DRAGGED_STEP, entry.id); event.dataTransfer.effectAllowed = "copy"; }}
              >
                <Tile kind={entry.kind} small />
                <span className={styles.words}>
                  <span className={styles.title}>{entry.title}</span>
                  <span className={styles.about}>{entry.about}</span>
                </span>
              </div>
            </div>
          ))}
        </div>
      </ScrollArea>
    </aside>
  );
}
