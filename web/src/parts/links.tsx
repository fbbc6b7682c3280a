// Mantine's links and buttons that go to an address of the app.

import { ActionIcon, type ActionIconProps, Anchor, type AnchorProps, Button, type ButtonProps } from "@mantine/core";
import { createLink } from "@tanstack/react-router";
import { type AnchorHTMLAttributes, forwardRef } from "react";

type Native = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof AnchorProps | keyof ButtonProps | "style">;

const AnchorBase = forwardRef<HTMLAnchorElement, AnchorProps & Native>(function AnchorBase(props, ref) {
  return <Anchor ref={ref} {...props} />;
});
const ButtonBase = forwardRef<HTMLAnchorElement, ButtonProps & Native>(function ButtonBase(props, ref) {
  return <Button ref={ref} component="a" {...props} />;
});

export const TextLink = createLink(AnchorBase);
export const ButtonLink = createLink(ButtonBase);

const ActionBase = forwardRef<HTMLAnchorElement, ActionIconProps & Native>(function ActionBase(props, ref) {
  return <ActionIcon ref={ref} component="a" {...props} />;
});

export const ActionLink = createLink(ActionBase);
