import { useDisclosure } from "@mantine/hooks";
import { IconDots } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { isAt, PLACES } from "./navigation";
import classes from "./Shell.module.css";

const MorePlaces = lazy(() => import("./MorePlaces").then((module) => ({ default: module.MorePlaces })));

/** The places on a phone: four at the bottom, the others behind the last button. */
export function PhoneBar({ pathname }: { pathname: string }) {
  const { t } = useTranslation("shell");
  const [opened, { open, close }] = useDisclosure(false);
  const more = PLACES.filter((place) => !place.onPhone);
  return (
    <>
      <nav className={classes.phone} aria-label={t("placesOnPhone")}>
        {PLACES.filter((place) => place.onPhone).map((place) => (
          <Link key={place.name} to={place.to} className={classes.phonePlace} aria-current={isAt(pathname, place) ? "page" : undefined}>
            <place.icon size={21} stroke={1.7} aria-hidden />
            <span>{t(`place.${place.name}`)}</span>
          </Link>
        ))}
        <button type="button" className={classes.phonePlace} onClick={open} aria-haspopup="dialog" aria-current={more.some((place) => isAt(pathname, place)) ? "page" : undefined}>
          <IconDots size={21} stroke={1.7} aria-hidden />
          <span>{t("place.more")}</span>
        </button>
      </nav>
      <Suspense>{opened && <MorePlaces pathname={pathname} close={close} />}</Suspense>
    </>
  );
}
