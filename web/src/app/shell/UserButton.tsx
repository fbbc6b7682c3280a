import { UnstyledButton, type UnstyledButtonProps, VisuallyHidden } from "@mantine/core";
import { type ComponentPropsWithRef, forwardRef } from "react";
import { useTranslation } from "react-i18next";
import { PersonAvatar } from "../../parts/PersonAvatar";
import type { LiveState } from "../live/socket";
import { useSessionQuery } from "../../client/session";
import { LiveDot } from "./LiveDot";
import classes from "./UserMenu.module.css";

export interface UserButtonProps extends UnstyledButtonProps, Omit<ComponentPropsWithRef<"button">, keyof UnstyledButtonProps> {
  live?: LiveState | undefined;
}

/** Who is signed in. */
export const UserButton = forwardRef<HTMLButtonElement, UserButtonProps>(function UserButton({ live, ...others }, ref) {
  const { t } = useTranslation("shell");
  const { data: session } = useSessionQuery();
  const name = session?.user?.name ?? session?.user?.email ?? "";
  return (
    <UnstyledButton ref={ref} {...others} className={classes.user}>
      <PersonAvatar name={name} size={32} />
      <span className={classes.names}>
        <bdi className={classes.name}>{name}</bdi>
        <bdi className={classes.organisation}>{session?.organisation.title}</bdi>
      </span>
      <VisuallyHidden>{t("user.menu")}</VisuallyHidden>
      {live !== undefined && <LiveDot state={live} />}
    </UnstyledButton>
  );
});
