// The steps as a list: what small screens show in place of the graph, and readers of screens may prefer.
import { Badge } from "@mantine/core";
import { useTranslation } from "react-i18next";
import styles from "./builder.module.css";
import type { Branch, Step, Tree } from "./graph/tree";
import { kindOf } from "./graph/verbs";
import { branchText, detailOf, titleOf, triggerText, type Nodes } from "./words/describe";
import { Tile } from "./words/Tile";

export interface StepListProps {
  tree: Tree;
  nodes: Nodes;
  selected: readonly string[];
  problems: ReadonlyMap<string, { errors: number; warnings: number }>;
  onOpen: (pointer: string) => void;
}

export function StepList(props: StepListProps) {
  const { t } = useTranslation("builder");
  const { tree, selected, onOpen } = props;
  return (
    <ul className={styles.list} aria-label={t("view.list")}>
      <li>
        <button type="button" className={styles.item} aria-current={selected.includes("start")} onClick={() => onOpen("start")}>
          <Tile kind="trigger" small />
          <span className={styles.itemWords}><strong>{t("startsWhen")}</strong><span dir="auto">{tree.triggers.map((trigger) => triggerText(trigger, t)).join(", ") || t("trigger.none")}</span></span>
        </button>
      </li>
      {tree.steps.map((step) => <Item key={step.pointer} step={step} {...props} />)}
    </ul>
  );
}

function Item({ step, ...props }: StepListProps & { step: Step }) {
  const { t } = useTranslation("builder");
  const { errors, warnings } = props.problems.get(step.pointer) ?? { errors: 0, warnings: 0 };
  return (
    <li>
      <button type="button" className={styles.item} aria-current={props.selected.includes(step.pointer)} data-step={step.id ?? step.pointer} onClick={() => props.onOpen(step.pointer)}>
        <Tile kind={kindOf(step.verb, step.node)} small />
        <span className={styles.itemWords}><strong dir="auto">{titleOf(step, props.nodes, t)}</strong><span dir="auto">{detailOf(step, props.nodes, t)}</span></span>
        {errors + warnings > 0 && <Badge color={errors > 0 ? "red" : "yellow"} size="sm">{t("problemCount", { count: errors + warnings })}</Badge>}
      </button>
      {step.branches.filter((branch) => branch.steps.length > 0).map((branch) => <Inside key={branch.name} branch={branch} {...props} />)}
    </li>
  );
}

function Inside({ branch, ...props }: StepListProps & { branch: Branch }) {
  const { t } = useTranslation("builder");
  return (
    <>
      <div className={styles.branchName} dir="auto">{branchText(branch.label, t)}</div>
      <ul>{branch.steps.map((step) => <Item key={step.pointer} step={step} {...props} />)}</ul>
    </>
  );
}
