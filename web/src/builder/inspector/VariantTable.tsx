// How the variants of a published split fare: in words and numbers, beside what the split says.
import { Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useForm } from "../form/FormContext";

export function VariantTable({ step }: { step: string }) {
  const { t } = useTranslation("builder");
  const { splits } = useForm();
  const split = splits.find((one) => one.step === step);
  if (!split || split.variants.every((variant) => variant.entered === 0)) return null;
  const told = split.goal !== null && split.not_told === null;
  const share = (count: number, of: number): string => (of === 0 ? "" : ` (${Math.round((100 * count) / of)} %)`);
  return (
    <section aria-label={t("variants.title")}>
      <Text size="sm" fw={600}>{t("variants.title")}</Text>
      <Table verticalSpacing={4} horizontalSpacing="xs" aria-label={t("variants.title")}>
        <Table.Thead><Table.Tr><Table.Th>{t("variants.variant")}</Table.Th><Table.Th>{t("variants.entered")}</Table.Th><Table.Th>{t("variants.completed")}</Table.Th>{told && <Table.Th>{t("variants.goal")}</Table.Th>}</Table.Tr></Table.Thead>
        <Table.Tbody>
          {split.variants.map((one) => (
            <Table.Tr key={one.variant}>
              <Table.Td><bdi>{one.variant}</bdi></Table.Td>
              <Table.Td>{one.entered}</Table.Td>
              <Table.Td>{one.completed}{share(one.completed, one.entered)}</Table.Td>
              {told && <Table.Td>{one.reached ?? 0}{share(one.reached ?? 0, one.entered)}</Table.Td>}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {split.not_told !== null && <Text size="xs" c="dimmed" mt={4}><span lang="en">{split.not_told}</span></Text>}
    </section>
  );
}
