import classes from "./PersonAvatar.module.css";

const TINTS = ["teal", "indigo", "grape", "orange", "cyan", "pink", "lime", "violet"] as const;

/** The first letters of somebody's name, always in the same colour. Says nothing by itself: the name stands beside it. */
export function PersonAvatar({ name, size = 36 }: { name: string; size?: number }) {
  let sum = 0;
  for (const letter of name) {
    sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 4_096;
  }
  const isNumber = /^\+?\d/.test(name);
  return (
    <span className={classes.avatar} data-tint={TINTS[sum % TINTS.length]} style={{ inlineSize: `${size / 16}rem`, fontSize: `${size / 42}rem` }} aria-hidden="true">
      {isNumber ? name.slice(-2) : initials(name)}
    </span>
  );
}

function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => [...(word ?? "")].find((letter) => /[\p{L}\p{N}]/u.test(letter)) ?? "");
  return letters.join("\u200c").toLocaleUpperCase();
}
