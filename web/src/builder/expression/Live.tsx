// What an expression gives with the values at hand, asked of the server while somebody writes it.
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { useForm } from "../form/FormContext";
import styles from "../form/form.module.css";
import { probe } from "./probe";

export function Live({ value }: { value: string }) {
  const { t } = useTranslation("builder");
  const { workflow, variables, samples } = useForm();
  const [settled] = useDebouncedValue(value, 350);
  const { data } = useQuery({
    queryKey: ["builder", "live", workflow, settled, samples, variables.length],
    queryFn: () => probe(workflow, settled, variables, samples),
    staleTime: 60_000,
    placeholderData: (before) => before,
    retry: false,
  });
  if (!data) return null;
  return (
    <div className={styles.live} data-wrong={data.error !== null || undefined} role="status">
      <span>{data.error === null ? t("form.gives") : t("form.wrong")}</span>
      <code dir="ltr">{data.error ?? (typeof data.value === "string" ? data.value : JSON.stringify(data.value))}</code>
    </div>
  );
}
