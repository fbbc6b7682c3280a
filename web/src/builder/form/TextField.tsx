// A text that may hold expressions: completion while typing, variables with their values by a button, the result below.
import { ActionIcon, Combobox, Group, Text, Textarea, Tooltip, useCombobox } from "@mantine/core";
import { IconVariable } from "@tabler/icons-react";
import { useMemo, useRef, useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { complete, withVariable } from "../expression/complete";
import { Live } from "../expression/Live";
import { VariablePicker } from "../expression/VariablePicker";
import { useTyped } from "../session/useSettled";
import { useForm } from "./FormContext";
import styles from "./form.module.css";

export interface TextFieldProps {
  label: string;
  value: string;
  description?: string | undefined;
  error?: string | undefined;
  required?: boolean;
  /** The whole text is an expression, without braces. */
  bare?: boolean;
  /** No expressions here. */
  plain?: boolean;
  code?: boolean;
  /** What else may be written as a whole. */
  choices?: readonly string[];
  placeholder?: string | undefined;
  onChange: (text: string) => void;
  onDone: () => void;
  right?: React.ReactNode;
}

const NO_CHOICES: readonly string[] = [];

export function TextField({ label, value, description, error, required = false, bare = false, plain = false, code = false, choices = NO_CHOICES, placeholder, onChange, onDone, right }: TextFieldProps) {
  const { t } = useTranslation("builder");
  const { variables, readOnly } = useForm();
  const { text, write, now } = useTyped(value, onChange);
  const [caret, setCaret] = useState(0);
  const [focused, setFocused] = useState(false);
  const [picking, setPicking] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const box = useCombobox({ loop: true, onDropdownClose: () => box.resetSelectedOption() });

  const completion = useMemo(() => (plain || !focused ? null : complete(text, caret, variables, bare)), [plain, focused, text, caret, variables, bare]);
  const offered = useMemo(() => {
    if (completion && !(bare && text === "")) return completion.options.slice(0, 40);
    if (choices.length === 0 || text.includes("{{")) return [];
    const near = choices.filter((choice) => choice.includes(text) && choice !== text);
    return near.slice(0, 40).map((choice) => ({ text: choice, detail: "" }));
  }, [completion, choices, text, bare]);

  const place = (at: number): void => {
    setCaret(at);
    requestAnimationFrame(() => field.current?.setSelectionRange(at, at));
  };
  const take = (option: string): void => {
    if (completion && !(bare && text === "")) {
      write(text.slice(0, completion.from) + option + text.slice(completion.to));
      place(completion.from + option.length);
    } else {
      write(option);
      place(option.length);
    }
    box.closeDropdown();
  };
  const pick = (path: string): void => {
    const next = withVariable(text, focused || caret > 0 ? caret : text.length, path, bare);
    write(next.text);
    setPicking(false);
    field.current?.focus();
    place(next.caret);
  };
  const keyed = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.key === "Escape" && box.dropdownOpened) {
      event.stopPropagation();
      box.closeDropdown();
    }
    if (event.key === "Enter" && !event.shiftKey && !code && !text.includes("\n") && !(box.dropdownOpened && box.getSelectedOptionIndex() >= 0)) {
      event.preventDefault();
      now();
      onDone();
    }
  };
  const follow = (event: { currentTarget: HTMLTextAreaElement }): void => setCaret(event.currentTarget.selectionStart);
  const hasExpression = bare ? text.trim() !== "" : /\{[{%]/.test(text);

  return (
    <div>
      <Combobox store={box} onOptionSubmit={take} withinPortal={false} position="bottom-start">
        <Combobox.Target withKeyboardNavigation={offered.length > 0}>
          <Textarea
            ref={field}
            label={label}
            description={description}
            error={error}
            withAsterisk={required}
            value={text}
            autosize
            minRows={1}
            maxRows={14}
            readOnly={readOnly}
            placeholder={placeholder ?? ""}
            spellCheck={!code && !bare}
            dir={code || bare ? "ltr" : "auto"}
            classNames={{ input: code || bare ? styles.code : "" }}
            rightSectionPointerEvents="all"
            rightSection={plain || readOnly ? null : (
              <Tooltip label={t("form.variables")}>
                <ActionIcon variant="subtle" size="sm" color="gray" aria-label={t("form.variablesFor", { field: label })} onClick={() => setPicking(true)}>
                  <IconVariable size={16} />
                </ActionIcon>
              </Tooltip>
            )}
            onChange={(event) => { write(event.currentTarget.value); follow(event); box.openDropdown(); }}
            onSelect={follow}
            onFocus={() => { setFocused(true); if (text === "" && choices.length > 0) box.openDropdown(); }}
            onBlur={() => { setFocused(false); box.closeDropdown(); now(); onDone(); }}
            onKeyDown={keyed}
          />
        </Combobox.Target>
        <Combobox.Dropdown hidden={offered.length === 0 || readOnly} className={styles.options}>
          <Combobox.Options mah={220} style={{ overflowY: "auto" }} aria-label={label}>
            {offered.map((option) => (
              <Combobox.Option key={option.text} value={option.text}>
                <Group justify="space-between" gap="sm" wrap="nowrap">
                  <span className={styles.code}>{option.text}</span>
                  <Text size="xs" c="dimmed" truncate>{option.detail}</Text>
                </Group>
              </Combobox.Option>
            ))}
          </Combobox.Options>
        </Combobox.Dropdown>
      </Combobox>
      {right}
      {focused && hasExpression && !plain && <Live value={bare ? `{{ ${text} }}` : text} />}
      {picking && <VariablePicker onPick={pick} onClose={() => setPicking(false)} />}
    </div>
  );
}
