import { Group, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";

/** A page's heading, what it is for in a sentence, and what can be done; names the browser's tab too. */
export function PageTitle({ title, children, actions }: { title: string; children?: ReactNode; actions?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Onward`;
  }, [title]);
  return (
    <Group component="header" justify="space-between" align="flex-start" gap="md" mb="lg">
      <div>
        <Title order={1}>{title}</Title>
        {children !== undefined && (
          <Text c="dimmed" mt={4} maw={640} component="div">
            {children}
          </Text>
        )}
      </div>
      {actions !== undefined && <Group gap="xs">{actions}</Group>}
    </Group>
  );
}
