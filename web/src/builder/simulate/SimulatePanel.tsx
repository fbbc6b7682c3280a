// Trying before publishing: one start or a crowd in virtual time, and what the last runs would have done on this draft.
import { ActionIcon, Tabs } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import styles from "../builder.module.css";
import type { Overlay } from "../canvas/flow";
import type { Tree } from "../graph/tree";
import type { Nodes } from "../words/describe";
import { Play } from "./Play";
import { WhatIf } from "./WhatIf";

export interface TrialProps {
  name: string;
  source: string;
  tree: Tree;
  nodes: Nodes;
  onOverlay: (overlay: Overlay | null) => void;
  onShow: (pointer: string) => void;
}

export function SimulatePanel({ onClose, ...props }: TrialProps & { onClose: () => void }) {
  const { t } = useTranslation("builder");
  return (
    <aside className={styles.drawer} aria-label={t("simulate.title")} data-side>
      <div className={styles.drawerHead}>
        <h2>{t("simulate.title")}</h2>
        <ActionIcon variant="subtle" color="gray" aria-label={t("close")} onClick={onClose}><IconX size={18} /></ActionIcon>
      </div>
      <div className={styles.drawerBody}>
        <Tabs defaultValue="play" keepMounted={false} onChange={() => props.onOverlay(null)}>
          <Tabs.List mb="md">
            <Tabs.Tab value="play">{t("simulate.play")}</Tabs.Tab>
            <Tabs.Tab value="whatIf">{t("simulate.whatIf")}</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="play"><Play {...props} /></Tabs.Panel>
          <Tabs.Panel value="whatIf"><WhatIf {...props} /></Tabs.Panel>
        </Tabs>
      </div>
    </aside>
  );
}
