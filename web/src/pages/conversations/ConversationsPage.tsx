// The conversations beside the one that is open. The full inbox (context, canned answers, assignment) finds its place here.

import { useMediaQuery } from "@mantine/hooks";
import { Outlet, useParams } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { ConversationList } from "./ConversationList";
import classes from "./Conversations.module.css";

export function ConversationsPage() {
  const { t } = useTranslation("conversations");
  const { id } = useParams({ strict: false });
  // As the styles have it: on a phone there is room for one of both.
  const narrow = useMediaQuery("(max-width: 56em)", false, { getInitialValueInEffect: false });
  return (
    <div className={classes.frame} data-open={id !== undefined}>
      {(!narrow || id === undefined) && (
        <section className={classes.list} aria-label={t("title")}>
          <ConversationList chosen={id} />
        </section>
      )}
      <div className={classes.open}>
        <Outlet />
      </div>
    </div>
  );
}
