import { useTranslation } from "react-i18next";
import { SignInForm } from "./SignInForm";
import classes from "./SignIn.module.css";

export function SignInPage() {
  const { t } = useTranslation("shell");
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <h1 className={classes.title}>{t("signIn.title")}</h1>
        <SignInForm />
      </div>
    </main>
  );
}
