import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { type Icon, IconPlus } from "@tabler/icons-react";
import { type ReactNode, Suspense } from "react";
import { EmptyState } from "../../parts/EmptyState";
import { LoadFailed } from "../../parts/LoadFailed";
import { type Column, RecordsTable } from "../../parts/RecordsTable";
import { RowsLoading } from "../../parts/RowsLoading";
import classes from "./Settings.module.css";

interface Props<Item> {
  /** What the list is of, in a sentence. */
  about: string;
  /** The word on the button that adds one. */
  add: string;
  adding: (close: () => void) => ReactNode;
  list: { isPending: boolean; isError: boolean; error: unknown; refetch: () => unknown; data?: { items: Item[] } | undefined };
  empty: { icon: Icon; title: string };
  columns: readonly Column<Item>[];
}

/** A list of the settings: what it is of, a button that adds one, and what there is. */
export function SettingsList<Item extends { id: string }>({ about, add, adding, list, empty, columns }: Props<Item>) {
  const [opened, { open, close }] = useDisclosure(false);
  const button = (
    <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
      {add}
    </Button>
  );
  const items = list.data?.items;
  return (
    <>
      <div className={classes.head}>
        <p>{about}</p>
        {items?.length !== 0 && button}
      </div>
      {list.isPending && <RowsLoading rows={3} />}
      {list.isError && items === undefined && <LoadFailed error={list.error} retry={list.refetch} />}
      {items?.length === 0 && <EmptyState icon={empty.icon} title={empty.title} action={button} />}
      {items !== undefined && items.length > 0 && <RecordsTable items={items} columns={columns} keyOf={({ id }) => id} />}
      <Suspense>{opened && adding(close)}</Suspense>
    </>
  );
}
