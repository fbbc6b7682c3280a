import { Group, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { nameTab } from "./product";

/** A page's heading, what it is for in a sentence, and what can be done; names the browser's tab too. */
export function PageTitle({ title, before, children, actions }: { title: string; before?: ReactNode; children?: ReactNode; actions?: ReactNode }) {
  useEffect(() => {
    nameTab(title);
  }, [title]);
  return (
    <Group component="header" justify="space-between" align="flex-start" gap="md" mb="lg">
      <Group gap="md" wrap="nowrap" flex="1 1 18rem">
        {before}
        <div>
          <Title order={1}>
            <bdi>{title}</bdi>
          </Title>
          {children !== undefined && (
            <Text c="dimmed" mt={4} maw={640} component="div">
              {children}
            </Text>
          )}
        </div>
      </Group>
      {actions !== undefined && <Group gap="xs">{actions}</Group>}
    </Group>
  );
}
