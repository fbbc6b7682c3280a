import { Kbd, UnstyledButton } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { openCommandBar } from "../command-bar/open";
import type { LiveState } from "../live/socket";
import { Brand } from "./Brand";
import { isAt, PLACES } from "./navigation";
import classes from "./Shell.module.css";
import searchClasses from "./SearchButton.module.css";
import { UserMenu } from "./UserMenu";

export function SideBar({ pathname, live }: { pathname: string; live: LiveState }) {
  const { t } = useTranslation("shell");
  return (
    <nav className={classes.side} aria-label={t("places")}>
      <div className={classes.brand}>
        <Brand />
      </div>
      <UnstyledButton className={searchClasses.search} onClick={openCommandBar}>
        <IconSearch size={16} aria-hidden />
        <span>{t("commandBar.open")}</span>
        <Kbd size="xs">{t("commandBar.keys")}</Kbd>
      </UnstyledButton>
      <ul className={classes.places}>
          {PLACES.map((place) => (
            <li key={place.name}>
              <Link to={place.to} className={classes.place} aria-current={isAt(pathname, place) ? "page" : undefined} activeProps={{}}>
                <place.icon size={19} stroke={1.7} aria-hidden />
                {t(`place.${place.name}`)}
              </Link>
            </li>
          ))}
      </ul>
      <div className={classes.spring} />
      <div className={classes.foot}>
        <UserMenu live={live} />
      </div>
    </nav>
  );
}
