// Who may care for a conversation: users and teams, as one list of choices.

import { useTranslation } from "react-i18next";
import { useSessionQuery } from "../../client/session";
import { api } from "../../client/http";
import type { Conversation } from "../../client/schema";

/** `user ID` or `team NAME`: as a choice's value and in an address. */
export type Assignee = string;

export function assigneeOf({ assigned_user: user, assigned_team: team }: Pick<Conversation, "assigned_user" | "assigned_team">): Assignee | undefined {
  if (user !== null) {
    return `user ${user}`;
  }
  return team === null ? undefined : `team ${team}`;
}

/** The user or the team that is meant; neither for nobody. */
export function readAssignee(assignee: Assignee | undefined): { user?: string; team?: string } {
  const [, kind, name] = /^(user|team) (.+)$/.exec(assignee ?? "") ?? [];
  if (name === undefined) {
    return {};
  }
  return kind === "user" ? { user: name } : { team: name };
}

export function useAssignees(): { value: Assignee; label: string }[] {
  const { t } = useTranslation("conversations");
  const { data: session } = useSessionQuery();
  const users = api.useQuery("get", "/api/v1/users");
  const teams = api.useQuery("get", "/api/v1/teams");
  const me = session?.user?.id;
  const active = (users.data?.items ?? []).filter((user) => user.active);
  // Oneself first.
  const sorted = active.toSorted((one, other) => Number(other.id === me) - Number(one.id === me));
  return [
    ...sorted.map(({ id, name }) => ({ value: `user ${id}`, label: id === me ? t("me", { name }) : name })),
    ...(teams.data?.items ?? []).map(({ name }) => ({ value: `team ${name}`, label: t("team", { name }) })),
  ];
}
