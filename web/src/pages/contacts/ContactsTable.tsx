import { Badge } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Contact } from "../../client/schema";
import { ChannelNames } from "../../parts/Channel";
import classes from "../../parts/list.module.css";
import { Moment } from "../../parts/Moment";
import { calledBy } from "../../parts/people";
import { PersonAvatar } from "../../parts/PersonAvatar";
import { RecordsTable } from "../../parts/RecordsTable";

const TAGS_SHOWN = 4;

export function ContactsTable({ contacts }: { contacts: readonly Contact[] }) {
  const { t } = useTranslation("contacts");
  return (
    <RecordsTable
      items={contacts}
      keyOf={({ id }) => id}
      columns={[
        { title: t("column.name"), cell: (contact) => <Name contact={contact} /> },
        { title: t("column.address"), quiet: true, cell: ({ phone, email }) => <bdi>{phone ?? email}</bdi> },
        { title: t("column.channels"), cell: ({ identities }) => <ChannelNames channels={[...new Set(identities.map(({ channel }) => channel))]} /> },
        { title: t("column.tags"), cell: ({ tags }) => <Tags tags={tags} /> },
        { title: t("column.since"), quiet: true, nowrap: true, cell: ({ created_at: at }) => <Moment at={at} /> },
      ]}
    />
  );
}

function Name({ contact }: { contact: Contact }) {
  const { t } = useTranslation("contacts");
  const name = calledBy(contact, t("nameless"));
  return (
    <div className={classes.person}>
      <PersonAvatar name={name} />
      <Link to="/contacts/$id" params={{ id: contact.id }} className={classes.lead}>
        <bdi>{name}</bdi>
      </Link>
    </div>
  );
}

function Tags({ tags }: { tags: readonly string[] }) {
  const { t } = useTranslation("contacts");
  return (
    <>
      {tags.slice(0, TAGS_SHOWN).map((tag) => (
        <Badge key={tag} variant="default" tt="none" fw={500} me={4}>
          <bdi>{tag}</bdi>
        </Badge>
      ))}
      {tags.length > TAGS_SHOWN && <span className={classes.quiet}>{t("moreTags", { count: tags.length - TAGS_SHOWN })}</span>}
    </>
  );
}
