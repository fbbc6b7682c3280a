// The form of one step: its name, what its node or verb takes, its branches, and what happens when it fails.
import { ActionIcon, Group, Menu, Select, Stack, Tabs, Text, TextInput } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconCopy, IconDots, IconFlask, IconForms, IconTrash, IconX } from "@tabler/icons-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { pointerOf } from "../document/read";
import { problemAt, useForm } from "../form/FormContext";
import { definitionOf, HOLDS_STEPS, stepSchema, type Schema } from "../form/schema";
import { Properties, SchemaField } from "../form/SchemaField";
import type { Step } from "../graph/tree";
import { kindOf } from "../graph/verbs";
import type { CatalogueNode } from "../session/catalogue";
import { useTyped } from "../session/useSettled";
import { TryStep } from "../simulate/TryStep";
import { titleOf } from "../words/describe";
import { Tile } from "../words/Tile";
import { BranchFields } from "./BranchFields";
import styles from "./inspector.module.css";
import { VariantTable } from "./VariantTable";

export interface StepActions {
  renameId: (id: string) => void;
  changeNode: (node: string) => void;
  duplicate: () => void;
  remove: () => void;
  nudge: (by: -1 | 1) => void;
}

const FAILURE_KEYS = new Set(["retry", "timeout", "on_error", "compensate"]);

export interface StepFormProps {
  step: Step;
  nodes: ReadonlyMap<string, CatalogueNode>;
  source: string;
  actions: StepActions;
  focusName: number;
  onClose: () => void;
}

export function StepForm({ step, nodes, source, actions, focusName, onClose }: StepFormProps) {
  const { t } = useTranslation("builder");
  const { readOnly } = useForm();
  const name = useRef<HTMLInputElement>(null);
  useEffect(() => { if (focusName > 0) name.current?.select(); }, [focusName]);
  return (
    <div className={styles.form}>
      <Group gap="sm" wrap="nowrap" className={styles.head}>
        <Tile kind={kindOf(step.verb, step.node)} />
        <div className={styles.heading}>
          <h2 className={styles.title} dir="auto">{titleOf(step, nodes, t)}</h2>
          <Text size="xs" c="dimmed" className={styles.mono}>{step.verb === "do" ? step.node : (step.verb ?? "")}</Text>
        </div>
        {!readOnly && (
          <Menu position="bottom-end" withinPortal>
            <Menu.Target><ActionIcon variant="subtle" color="gray" aria-label={t("step.more")}><IconDots size={18} /></ActionIcon></Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<IconCopy size={15} />} onClick={actions.duplicate}>{t("step.duplicate")}</Menu.Item>
              <Menu.Item leftSection={<IconArrowUp size={15} />} onClick={() => actions.nudge(-1)}>{t("step.up")}</Menu.Item>
              <Menu.Item leftSection={<IconArrowDown size={15} />} onClick={() => actions.nudge(1)}>{t("step.down")}</Menu.Item>
              <Menu.Item color="red" leftSection={<IconTrash size={15} />} onClick={actions.remove}>{t("step.remove")}</Menu.Item>
            </Menu.Dropdown>
          </Menu>
        )}
        <ActionIcon variant="subtle" color="gray" aria-label={t("close")} onClick={onClose}><IconX size={18} /></ActionIcon>
      </Group>
      <Tabs defaultValue="form" keepMounted={false} classNames={{ panel: styles.panel ?? "" }}>
        <Tabs.List>
          <Tabs.Tab value="form" leftSection={<IconForms size={15} />}>{t("step.settings")}</Tabs.Tab>
          <Tabs.Tab value="try" leftSection={<IconFlask size={15} />}>{t("step.try")}</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="form"><Fields step={step} nodes={nodes} actions={actions} nameRef={name} /></Tabs.Panel>
        <Tabs.Panel value="try"><TryStep step={step} source={source} /></Tabs.Panel>
      </Tabs>
    </div>
  );
}

function Fields({ step, nodes, actions, nameRef }: { step: Step; nodes: ReadonlyMap<string, CatalogueNode>; actions: StepActions; nameRef: React.RefObject<HTMLInputElement | null> }) {
  const { t } = useTranslation("builder");
  const { readOnly, problems } = useForm();
  const schema: Schema = step.verb === null ? {} : stepSchema(step.verb);
  const node = nodes.get(step.node);
  const properties = (schema.properties ?? {}) as Record<string, Schema>;
  const own = Object.keys(properties).filter((key) => !["id", "name", "do", "with"].includes(key) && !FAILURE_KEYS.has(key) && key !== "catch" && definitionOf(properties[key] ?? {}) !== "steps" && !HOLDS_STEPS.has(key) && !["choose", "parallel"].includes(key) && !(key === "if" && step.verb !== "if"));
  const late = Object.keys(properties).filter((key) => (FAILURE_KEYS.has(key) && (key !== "retry" || step.verb === "do")) || (key === "if" && step.verb !== "if"));
  const waits = step.verb === "wait_for" || step.verb === "ask";
  return (
    <Stack gap="md">
      <NameField key={step.pointer} step={step} placeholder={titleOf({ ...step, name: null }, nodes, t)} inputRef={nameRef} />
      <IdField key={step.pointer + (step.id ?? "")} step={step} onRename={actions.renameId} />
      {step.verb === "do" && (
        <Select label={t("step.node")} searchable data={groups(nodes)} value={step.node} disabled={readOnly} allowDeselect={false} error={problemAt(problems, `${step.pointer}/do`)} description={node?.description} onChange={(next) => { if (next !== null) actions.changeNode(next); }} />
      )}
      {step.verb === "do" && node && <Properties schema={node.input as Schema} value={step.value.with} path={[...step.path, "with"]} key={step.node} order={orderOf(node)} first={4} />}
      {step.verb !== "do" && "with" in properties && <SchemaField schema={properties.with ?? {}} value={step.value.with} path={[...step.path, "with"]} label={t("step.with")} />}
      {own.map((key) => (
        step.verb === "split" && key === "split" ? <Properties key={key} schema={properties.split ?? {}} value={step.value.split} path={[...step.path, "split"]} leave={LEFT_TO_BRANCHES} /> :
        step.verb === "repeat" && key === "repeat" ? <Properties key={key} schema={properties.repeat ?? {}} value={step.value.repeat} path={[...step.path, "repeat"]} /> :
        <SchemaField key={key} schema={properties[key] ?? {}} value={step.value[key]} path={[...step.path, key]} label={t(`field.${key}` as never, { defaultValue: key.replaceAll("_", " ") })} required={key === step.verb} />
      ))}
      <BranchFields step={step} />
      {step.verb === "split" && <VariantTable step={step.key} />}
      {waits && <SchemaField schema={properties.timeout ?? {}} value={step.value.timeout} path={[...step.path, "timeout"]} label={t("step.timeout")} />}
      <Properties schema={{ type: "object", properties: Object.fromEntries(late.filter((key) => !(waits && key === "timeout")).map((key) => [key, titled(properties[key] ?? {}, t(`step.late.${key}` as never, { defaultValue: key }))])) }} value={Object.fromEntries(Object.entries(step.value).filter(([key]) => late.includes(key) && !(waits && key === "timeout")))} path={step.path} />
    </Stack>
  );
}

const LEFT_TO_BRANCHES = ["variants"] as const;

function titled(schema: Schema, title: string): Schema {
  return { ...schema, title };
}

function NameField({ step, placeholder, inputRef }: { step: Step; placeholder: string; inputRef: React.RefObject<HTMLInputElement | null> }) {
  const { t } = useTranslation("builder");
  const { set, done, readOnly } = useForm();
  const { text, write, now } = useTyped(step.name ?? "", (next) => set([...step.path, "name"], next === "" ? undefined : next, `name:${step.pointer}`));
  return <TextInput ref={inputRef} label={t("step.name")} placeholder={placeholder} value={text} readOnly={readOnly} onChange={(event) => write(event.currentTarget.value)} onBlur={() => { now(); done(); }} />;
}

function IdField({ step, onRename }: { step: Step; onRename: (id: string) => void }) {
  const { t } = useTranslation("builder");
  const { readOnly, problems } = useForm();
  const [text, setText] = useState(step.id ?? "");
  const bad = text !== "" && !/^(?!__)[a-z_][a-z0-9_]*$/.test(text);
  const commit = (): void => { if (!bad && text !== (step.id ?? "")) onRename(text); };
  return <TextInput label={t("step.id")} description={t("step.idAbout", { id: text === "" ? "ID" : text })} value={text} readOnly={readOnly} error={bad ? t("step.idBad") : problemAt(problems, pointerOf([...step.path, "id"]))} classNames={{ input: styles.mono ?? "" }} onChange={(event) => setText(event.currentTarget.value)} onBlur={commit} onKeyDown={(event) => { if (event.key === "Enter") commit(); }} />;
}

function groups(nodes: ReadonlyMap<string, CatalogueNode>): { group: string; items: { value: string; label: string }[] }[] {
  const found = new Map<string, { value: string; label: string }[]>();
  for (const node of nodes.values()) found.set(node.category, [...(found.get(node.category) ?? []), { value: node.id, label: node.title }]);
  return [...found].map(([group, items]) => ({ group, items }));
}

function orderOf(node: CatalogueNode): string[] {
  const order = (node.ui as { order?: unknown } | null | undefined)?.order;
  return Array.isArray(order) ? order.map(String) : [];
}
