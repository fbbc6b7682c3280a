// JSONLogic rules that the rule editor can show as rows; any other rule stays as it is and is written as text. Pure.
import { isMap } from "../document/read";

export const OPERATORS = ["==", "!=", ">", ">=", "<", "<=", "in", "missing", "present"] as const;
export type Operator = (typeof OPERATORS)[number];

export interface Comparison {
  kind: "comparison";
  variable: string;
  operator: Operator;
  value: unknown;
}

export interface Group {
  kind: "group";
  join: "and" | "or";
  rules: Rule[];
}

export type Rule = Comparison | Group;

/** The rows of a rule; `null` when it says something that rows cannot. */
export function rowsOf(logic: unknown): Group | null {
  const rule = ruleOf(logic);
  if (!rule) return null;
  return rule.kind === "group" ? rule : { kind: "group", join: "and", rules: [rule] };
}

function ruleOf(logic: unknown): Rule | null {
  if (!isMap(logic)) return null;
  const entries = Object.entries(logic);
  const [entry] = entries;
  if (entries.length !== 1 || !entry) return null;
  const [operator, value] = entry;
  if (operator === "and" || operator === "or") {
    if (!Array.isArray(value)) return null;
    const rules = value.map(ruleOf);
    return rules.every((rule) => rule !== null) ? { kind: "group", join: operator, rules } : null;
  }
  if (operator === "!" || operator === "!!") {
    const variable = variableOf(Array.isArray(value) && value.length === 1 ? value[0] : value);
    return variable === null ? null : { kind: "comparison", variable, operator: operator === "!" ? "missing" : "present", value: null };
  }
  if (!(OPERATORS as readonly string[]).includes(operator) || !Array.isArray(value) || value.length !== 2) return null;
  const variable = variableOf(value[0]);
  return variable === null || !isPlain(value[1]) ? null : { kind: "comparison", variable, operator: operator as Operator, value: value[1] };
}

function variableOf(value: unknown): string | null {
  return isMap(value) && Object.keys(value).length === 1 && typeof value.var === "string" ? value.var : null;
}

function isPlain(value: unknown): boolean {
  return value === null || typeof value !== "object" || (Array.isArray(value) && value.every(isPlain));
}

/** The rule of rows. */
export function logicOf(rule: Rule): Record<string, unknown> {
  if (rule.kind === "group") {
    const [only] = rule.rules;
    return rule.rules.length === 1 && only ? logicOf(only) : { [rule.join]: rule.rules.map(logicOf) };
  }
  if (rule.operator === "missing") return { "!": { var: rule.variable } };
  if (rule.operator === "present") return { "!!": { var: rule.variable } };
  return { [rule.operator]: [{ var: rule.variable }, rule.value] };
}

/** A value as somebody writes it: numbers, truth and lists are what they look like, anything else is text. */
export function valueOf(text: string): unknown {
  const trimmed = text.trim();
  if (/^-?\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed);
  if (trimmed === "true" || trimmed === "false") return trimmed === "true";
  if (trimmed.startsWith("[") && trimmed.endsWith("]")) {
    return trimmed.slice(1, -1).split(",").map((part) => valueOf(part.trim().replaceAll(/^["']|["']$/g, "")));
  }
  return text;
}

export function textOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(textOf).join(", ")}]`;
  return value === null || value === undefined ? "" : String(value);
}
