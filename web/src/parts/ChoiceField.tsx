import { NativeSelect } from "@mantine/core";

interface Props {
  label: string;
  /** What it says when nothing is chosen; the label when left out. */
  none?: string;
  choices: readonly { value: string; label: string }[];
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

/** One of a few, or none: the browser's own field, light to load and at home on phones. */
export function ChoiceField({ label, none = label, choices, value, onChange }: Props) {
  // What is chosen may not be on the list (yet): it is shown all the same.
  const known = value === undefined || choices.some((choice) => choice.value === value);
  const all = known ? choices : [{ value, label: value }, ...choices];
  return (
    <NativeSelect
      aria-label={label}
      data={[{ value: "", label: none }, ...all]}
      value={value ?? ""}
      onChange={(event) => onChange(event.currentTarget.value === "" ? undefined : event.currentTarget.value)}
      miw={140}
      maw={240}
    />
  );
}
