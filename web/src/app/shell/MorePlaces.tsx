import { Drawer, Stack } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { isAt, PLACES } from "./navigation";
import classes from "./Shell.module.css";
import { UserMenu } from "./UserMenu";

/** The places that have no room at the bottom of a phone. */
export function MorePlaces({ pathname, close }: { pathname: string; close: () => void }) {
  const { t } = useTranslation("shell");
  return (
    <Drawer opened onClose={close} position="bottom" size="auto" title={t("place.more")} closeButtonProps={{ "aria-label": t("close") }}>
      <Stack gap="xs" pb="md">
        {PLACES.filter((place) => !place.onPhone).map((place) => (
          <Link key={place.name} to={place.to} className={classes.place} aria-current={isAt(pathname, place) ? "page" : undefined} onClick={close}>
            <place.icon size={20} stroke={1.7} aria-hidden />
            {t(`place.${place.name}`)}
          </Link>
        ))}
        <UserMenu />
      </Stack>
    </Drawer>
  );
}
