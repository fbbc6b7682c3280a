import { Badge } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Contact } from "../../client/schema";
import { ChannelNames } from "../../parts/Channel";
import classes from "../../parts/list.module.css";
import { Moment } from "../../parts/Moment";
import { calledBy } from "../../parts/people";
import { PersonAvatar } from "../../parts/PersonAvatar";

const TAGS_SHOWN = 4;

export function ContactsTable({ contacts }: { contacts: readonly Contact[] }) {
  const { t } = useTranslation("contacts");
  return (
    <div className={classes.card}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col">{t("column.name")}</th>
            <th scope="col">{t("column.address")}</th>
            <th scope="col">{t("column.channels")}</th>
            <th scope="col">{t("column.tags")}</th>
            <th scope="col">{t("column.since")}</th>
          </tr>
        </thead>
        <tbody>
          {contacts.map((contact) => (
            <Row key={contact.id} contact={contact} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ contact }: { contact: Contact }) {
  const { t } = useTranslation("contacts");
  const name = calledBy(contact, t("nameless"));
  const channels = [...new Set(contact.identities.map((identity) => identity.channel))];
  return (
    <tr>
      <td>
        <div className={classes.person}>
          <PersonAvatar name={name} />
          <Link to="/contacts/$id" params={{ id: contact.id }} className={classes.lead}>
            <bdi>{name}</bdi>
          </Link>
        </div>
      </td>
      <td className={classes.quiet}>
        <bdi>{contact.phone ?? contact.email}</bdi>
      </td>
      <td>
        <ChannelNames channels={channels} />
      </td>
      <td>
        {contact.tags.slice(0, TAGS_SHOWN).map((tag) => (
          <Badge key={tag} variant="default" tt="none" fw={500} me={4}>
            <bdi>{tag}</bdi>
          </Badge>
        ))}
        {contact.tags.length > TAGS_SHOWN && <span className={classes.quiet}>{t("moreTags", { count: contact.tags.length - TAGS_SHOWN })}</span>}
      </td>
      <td className={`${classes.quiet} ${classes.nowrap}`}>
        <Moment at={contact.created_at} />
      </td>
    </tr>
  );
}
