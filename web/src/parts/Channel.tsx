import { IconBrandFacebook, IconBrandInstagram, IconBrandTelegram, IconBrandWhatsapp, IconMail, IconMessage2, type Icon } from "@tabler/icons-react";
import classes from "./Channel.module.css";

// Names of products, the same in every language.
const KNOWN: Record<string, { name: string; icon: Icon }> = {
  whatsapp: { name: "WhatsApp", icon: IconBrandWhatsapp },
  instagram: { name: "Instagram", icon: IconBrandInstagram },
  messenger: { name: "Messenger", icon: IconBrandFacebook },
  telegram: { name: "Telegram", icon: IconBrandTelegram },
  email: { name: "E-mail", icon: IconMail },
};

export function channelName(channel: string): string {
  return KNOWN[channel]?.name ?? channel;
}

export function Channel({ channel }: { channel: string }) {
  const Sign = KNOWN[channel]?.icon ?? IconMessage2;
  return (
    <span className={classes.channel}>
      <Sign size={16} stroke={1.7} aria-hidden />
      <bdi>{channelName(channel)}</bdi>
    </span>
  );
}

export function ChannelNames({ channels }: { channels: readonly string[] }) {
  return channels.map((channel) => <Channel key={channel} channel={channel} />);
}
