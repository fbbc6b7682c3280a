// The list of contacts: newest first, filtered, and always up to date.

import { Button } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAddressBook, IconPlus } from "@tabler/icons-react";
import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../../client/http";
import { ChoiceField } from "../../parts/ChoiceField";
import { EmptyState } from "../../parts/EmptyState";
import classes from "../../parts/list.module.css";
import { LoadFailed } from "../../parts/LoadFailed";
import { MoreButton } from "../../parts/MoreButton";
import { PageTitle } from "../../parts/PageTitle";
import { RowsLoading } from "../../parts/RowsLoading";
import { SandboxLink } from "../../parts/SandboxLink";
import { SearchField } from "../../parts/SearchField";
import { useWaiting } from "../../parts/useWaiting";
import { ContactsTable } from "./ContactsTable";

const NewContact = lazy(() => import("./NewContact").then((module) => ({ default: module.NewContact })));
const route = getRouteApi("/contacts");

export function ContactsPage() {
  const { t } = useTranslation("contacts");
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [adding, { open, close }] = useDisclosure(false);
  const filtered = search.q !== undefined || search.tag !== undefined || search.company !== undefined;
  const companies = api.useQuery("get", "/api/v1/companies", { params: { query: { limit: 100 } } });
  const list = api.useInfiniteQuery(
    "get",
    "/api/v1/contacts",
    { params: { query: { limit: 50, ...search } } },
    { pageParamName: "cursor", initialPageParam: null, getNextPageParam: ({ next_cursor }) => next_cursor ?? undefined, placeholderData: (before) => before },
  );
  const contacts = list.data?.pages.flatMap((page) => page.items) ?? [];
  const waiting = useWaiting(list.isPending);
  const change = (next: Partial<typeof search>) => void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  return (
    <>
      <PageTitle
        title={t("title")}
        actions={
          <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={open}>
            {t("add")}
          </Button>
        }
      >
        {t("about")}
      </PageTitle>
      <div className={classes.filters}>
        <SearchField label={t("search")} value={search.q ?? ""} onChange={(q) => change({ q: q === "" ? undefined : q })} />
        <SearchField label={t("tagFilter")} value={search.tag ?? ""} onChange={(tag) => change({ tag: tag.trim() === "" ? undefined : tag.trim() })} />
        {((companies.data?.items.length ?? 0) > 0 || search.company !== undefined) && (
          <ChoiceField
            label={t("company")}
            choices={(companies.data?.items ?? []).map(({ id, name }) => ({ value: id, label: name }))}
            value={search.company}
            onChange={(company) => change({ company })}
          />
        )}
      </div>
      {waiting && <RowsLoading />}
      {list.isError && contacts.length === 0 && <LoadFailed error={list.error} retry={list.refetch} />}
      {!waiting && list.isSuccess && contacts.length === 0 && filtered && (
        <EmptyState
          icon={IconAddressBook}
          title={t("nobodyFits")}
          action={
            <Button variant="light" onClick={() => change({ q: undefined, tag: undefined, company: undefined })}>
              {t("clearFilters")}
            </Button>
          }
        />
      )}
      {!waiting && list.isSuccess && contacts.length === 0 && !filtered && (
        <EmptyState icon={IconAddressBook} title={t("empty.title")} action={<SandboxLink otherwise={<Button onClick={open}>{t("add")}</Button>} />}>
          {t("empty.text")}
        </EmptyState>
      )}
      {!waiting && contacts.length > 0 && <ContactsTable contacts={contacts} />}
      <MoreButton list={list} />
      <Suspense>{adding && <NewContact opened close={close} />}</Suspense>
    </>
  );
}
