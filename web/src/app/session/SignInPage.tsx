// What whoever is not signed in sees: the sign-in, or on a new server the first user's making.

import { Text, Title } from "@mantine/core";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { nameTab } from "../../parts/product";
import { api } from "../../client/http";
import { Loading } from "../../parts/Loading";
import { Brand } from "../shell/Brand";
import { LanguageField } from "./LanguageField";
import { SetUpForm } from "./SetUpForm";
import classes from "./SignIn.module.css";
import { SignInForm } from "./SignInForm";

export function SignInPage() {
  const { t } = useTranslation("shell");
  const firstRun = api.useQuery("get", "/api/v1/auth/first-run", undefined, { retry: false });
  const isNew = firstRun.data?.needed === true;
  const title = isNew ? t("setUp.title") : t("signIn.title");
  useEffect(() => {
    nameTab(title);
  }, [title]);
  if (firstRun.isPending) {
    return <Loading />;
  }
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <Brand />
        <Title order={1} mt="xl" mb={4}>
          {title}
        </Title>
        <Text c="dimmed" mb="lg">
          {isNew ? t("setUp.text") : t("signIn.text")}
        </Text>
        {isNew ? <SetUpForm /> : <SignInForm />}
      </div>
      <LanguageField />
    </main>
  );
}
