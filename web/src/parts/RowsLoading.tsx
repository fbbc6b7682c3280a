import { Skeleton } from "@mantine/core";
import { useTranslation } from "react-i18next";
import classes from "./list.module.css";

/** As many rows as a list will have, as high as they will be: nothing moves when they come. */
export function RowsLoading({ rows = 8 }: { rows?: number }) {
  const { t } = useTranslation("shell");
  return (
    <div className={classes.card} role="status" aria-label={t("loading")}>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} style={{ padding: "0.875rem 1rem" }}>
          <Skeleton height={20} width={`${55 + ((row * 17) % 40)}%`} />
        </div>
      ))}
    </div>
  );
}
