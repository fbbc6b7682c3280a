import { VisuallyHidden } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./list.module.css";

export interface Column<Item> {
  /** Names the column; its key, too. */
  title: string;
  /** The title is heard only: the column has buttons, which say themselves what they do. */
  unseen?: boolean;
  /** Beside what the row is about. */
  quiet?: boolean;
  nowrap?: boolean;
  cell: (item: Item) => ReactNode;
}

/** Records as a table; on a phone each row is a card. */
export function RecordsTable<Item>({ items, columns, keyOf }: { items: readonly Item[]; columns: readonly Column<Item>[]; keyOf: (item: Item) => string }) {
  return (
    <div className={classes.card}>
      <table className={classes.table}>
        <thead>
          <tr>
            {columns.map(({ title, unseen = false }) => (
              <th key={title} scope="col">
                {unseen ? <VisuallyHidden>{title}</VisuallyHidden> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.map((item) => (
            <tr key={keyOf(item)}>
              {columns.map(({ title, quiet = false, nowrap = false, cell }) => (
                <td key={title} className={classesOf(quiet, nowrap)}>
                  {cell(item)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function classesOf(quiet: boolean, nowrap: boolean): string | undefined {
  return [quiet && classes.quiet, nowrap && classes.nowrap].filter(Boolean).join(" ") || undefined;
}
