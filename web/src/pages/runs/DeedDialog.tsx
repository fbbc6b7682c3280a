import { Alert, Button, Group, Modal, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { explain } from "../../parts/problem";
import { useFocusBack } from "../../parts/useFocusBack";

/** Asks before something is done to a run, says what will happen, and stays when it is refused. */
export function DeedDialog(props: {
  title: string;
  text: string;
  submit: string;
  danger?: boolean;
  pending: boolean;
  error: unknown;
  disabled?: boolean;
  onSubmit: () => void;
  close: () => void;
  children?: ReactNode;
}) {
  const { t } = useTranslation("shell");
  useFocusBack();
  return (
    <Modal opened onClose={props.close} title={props.title} closeButtonProps={{ "aria-label": t("close") }}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          props.onSubmit();
        }}
      >
        <Stack>
          <Text size="sm">{props.text}</Text>
          {props.error !== null && props.error !== undefined && (
            <Alert color="red" role="alert">
              {explain(props.error)}
            </Alert>
          )}
          {props.children}
          <Group justify="flex-end">
            <Button variant="default" onClick={props.close}>
              {t("cancel")}
            </Button>
            <Button type="submit" color={props.danger === true ? "red" : undefined} loading={props.pending} disabled={props.disabled ?? false}>
              {props.submit}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
