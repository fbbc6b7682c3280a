import { Stack, Text, ThemeIcon, Title } from "@mantine/core";
import type { Icon } from "@tabler/icons-react";
import type { ReactNode } from "react";

/** Nothing is here yet, or nothing could be read: says what to do next, with the action as a button. */
export function EmptyState(props: { icon: Icon; title: string; children?: ReactNode; action?: ReactNode; isPage?: boolean }) {
  const { icon: Sign, title, children, action, isPage = false } = props;
  return (
    <Stack align="center" gap="sm" py={48} px="md" ta="center" maw={460} mx="auto">
      <ThemeIcon variant="light" size={52} radius="xl" aria-hidden>
        <Sign size={26} stroke={1.6} />
      </ThemeIcon>
      <Title order={isPage ? 1 : 2} size="h2">{title}</Title>
      {children !== undefined && (
        <Text c="dimmed" size="sm" component="div">
          {children}
        </Text>
      )}
      {action}
    </Stack>
  );
}
