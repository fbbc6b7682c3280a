import { Avatar } from "@mantine/core";

const COLORS = ["teal", "indigo", "grape", "orange", "cyan", "pink", "lime", "violet"] as const;

/** The first letters of somebody's name, always in the same colour. Says nothing by itself: the name stands beside it. */
export function PersonAvatar({ name, size = 36 }: { name: string; size?: number }) {
  let sum = 0;
  for (const letter of name) {
    sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 4_096;
  }
  const isNumber = /^\+?\d/.test(name);
  return (
    <Avatar size={size} radius="xl" color={COLORS[sum % COLORS.length] ?? "teal"} variant="light" aria-hidden alt="">
      {isNumber ? name.slice(-2) : initials(name)}
    </Avatar>
  );
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => [...(word ?? "")][0] ?? "");
  return letters.join("").toLocaleUpperCase();
}
