// @vitest-environment node
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shipped } from "../tests/files";
import { same, setValue, removeValue, insertItem } from "./edit";
import { isMap, pathOf, read, valueAt, type Path } from "./read";
import { copySteps, insertNewStep, insertSteps, moveSteps, readTree, removeSteps, renameStep } from "./steps";

function lines(text: string): string[] {
  return text.split("\n");
}

/** How many lines differ, those before and behind that agree left out. */
function touched(before: string, after: string): number {
  const [one, other] = [lines(before), lines(after)];
  let head = 0;
  while (head < one.length && head < other.length && one[head] === other[head]) head += 1;
  let tail = 0;
  while (tail < one.length - head && tail < other.length - head && one.at(-1 - tail) === other.at(-1 - tail)) tail += 1;
  return Math.max(one.length, other.length) - head - tail;
}

function scalars(value: unknown, path: Path = []): Path[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => scalars(item, [...path, index]));
  if (isMap(value)) return Object.entries(value).flatMap(([key, item]) => scalars(item, [...path, key]));
  return [path];
}

describe.each(shipped)("%s", (_, source) => {
  const tree = readTree(source);

  it("can be read", () => expect(read(source).errors).toEqual([]));

  it("takes another text in every place, and takes the old one back to the byte", () => {
    const places = scalars(read(source).value);
    // Long files have many places like each other: some forty of each file are tried.
    const stride = Math.ceil(places.length / 40);
    for (const path of places.filter((_, index) => index % stride === 0)) {
      const old = valueAt(read(source).value, path);
      if (typeof old !== "string" || old.includes("\n") || lines(source).every((line) => !line.includes(old))) continue;
      const there = setValue(source, path, "another text");
      expect(touched(source, there)).toBeLessThanOrEqual(1);
      expect(setValue(there, path, old)).toBe(source);
    }
  });

  it("gives up every step, with the lines of that step and no other", () => {
    for (const step of tree.all) {
      const next = removeSteps(source, [step.pointer]).source;
      expect(readTree(next).all.length).toBe(tree.all.length - 1 - inside(step.pointer));
      const kept = lines(next).filter((line) => !/(\[\]|\{\})$/.test(line));
      expect(subsequence(kept, lines(source))).toBe(true);
    }
  });

  it("takes a step into every gap and gives it back to the byte", () => {
    for (const step of tree.all) {
      const place = { list: step.path.slice(0, -1), index: Number(step.path.at(-1)) };
      const added = insertSteps(source, place, "# why\n- delay: 1h # a while\n");
      expect(added.source).toContain("# why\n");
      expect(removeSteps(added.source, added.selected).source).toBe(source);
    }
  });

  it("moves every step to the top and keeps its comments", () => {
    for (const step of tree.all) {
      const moved = moveSteps(source, [step.pointer], { list: ["steps"], index: 0 });
      expect(readTree(moved.source).all.length).toBe(tree.all.length);
      expect(valueAt(read(moved.source).value, pathOf(moved.selected[0] ?? ""))).toEqual(step.value);
      expect(comments(moved.source)).toEqual(comments(source));
    }
  });

  it("copies all steps into another file, whose own ids stay", () => {
    const text = copySteps(source, tree.steps.map((step) => step.pointer));
    const twice = insertSteps(source, { list: ["steps"], index: tree.steps.length }, text);
    const ids = readTree(twice.source).all.flatMap((step) => (step.id === null ? [] : [step.id]));
    expect(new Set(ids).size).toBe(ids.length);
    expect(twice.source.startsWith(source.trimEnd())).toBe(true);
  });

  it("renames every step and what names it", () => {
    for (const step of tree.all) {
      if (step.id === null) continue;
      const next = renameStep(source, step.pointer, "another_name");
      expect(new RegExp(`steps\\.${step.id}\\b`).test(next)).toBe(false);
      expect(renameStep(next, step.pointer, step.id)).toBe(source);
    }
  });

  function inside(pointer: string): number {
    return tree.all.filter((step) => step.pointer.startsWith(`${pointer}/`)).length;
  }
});

function comments(text: string): string[] {
  return lines(text).flatMap((line) => line.match(/(?:^|\s)# .*$/)?.[0].trim() ?? []).toSorted();
}

function subsequence(part: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  for (const line of part) {
    while (at < whole.length && whole[at] !== line) at += 1;
    if (at === whole.length) return false;
    at += 1;
  }
  return true;
}

// ---- any edits, one after the other

const word = fc.string({ maxLength: 12 });
const text = fc.oneof(word, fc.constantFrom("yes", "null", "1e3", "- a", "a: b", "a #b", "{{ input.x }}", "it's", '"q"', "two\nlines\n", " lead", "", "~", "[x", "&a", "*a", "!t", "%d", "\t"));
const leaf = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null));
const value = fc.oneof(leaf, fc.array(leaf, { maxLength: 3 }), fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), leaf, { maxKeys: 3, noNullPrototype: true }));
const edit = fc.record({ kind: fc.constantFrom("set", "add", "remove", "insert", "step", "cut", "move"), at: fc.nat(), key: fc.stringMatching(/^[a-z]{1,6}$/), to: fc.nat(), value });

function apply(source: string, { kind, at, key, to, value }: { kind: string; at: number; key: string; to: number; value: unknown }): string {
  const plain = read(source).value;
  const paths = scalars(plain).filter((path) => path.length > 0);
  const path = paths[at % Math.max(paths.length, 1)];
  const steps = readTree(source).all;
  const step = steps[at % Math.max(steps.length, 1)];
  const goal = steps[to % Math.max(steps.length, 1)];
  if (kind === "set" && path) return setValue(source, path, value);
  if (kind === "remove" && path && path.length > 1) return removeValue(source, path);
  if (kind === "add" && step) return setValue(source, [...step.path, key], value);
  if (kind === "insert" && step) return insertItem(source, step.path.slice(0, -1), Number(step.path.at(-1)), { id: key, set: { a: value } });
  if (kind === "step" && step) return insertNewStep(source, { list: step.path.slice(0, -1), index: Number(step.path.at(-1)) }, "if").source;
  if (kind === "cut" && step && steps.length > 1) return removeSteps(source, [step.pointer]).source;
  if (kind === "move" && step && goal && !goal.pointer.startsWith(step.pointer)) {
    return moveSteps(source, [step.pointer], { list: goal.path.slice(0, -1), index: Number(goal.path.at(-1)) }).source;
  }
  return source;
}

describe("any edits", () => {
  it("leave a file that can be read, says what was meant, and keeps the comments of what stays", () => {
    fc.assert(
      fc.property(fc.constantFrom(...shipped), fc.array(edit, { minLength: 1, maxLength: 8 }), ([, source], edits) => {
        let now = source;
        for (const one of edits) {
          // Each edit is compared with what it means by itself: an edit that cannot be made says so and changes nothing.
          const next = apply(now, one);
          expect(read(next).errors).toEqual([]);
          now = next;
        }
        const heads = lines(source).filter((line) => line.startsWith("# "));
        expect(heads.every((head) => now.includes(head))).toBe(true);
      }),
      { numRuns: 100, seed: Number(process.env.ONWARD_SEED ?? 20) },
    );
  }, 60_000);

  it("of one value touch the lines of that value and no other", () => {
    fc.assert(
      fc.property(fc.constantFrom(...shipped), fc.nat(), text, ([, source], at, put) => {
        const paths = scalars(read(source).value);
        const path = paths[at % paths.length] ?? [];
        const next = setValue(source, path, put);
        expect(same(valueAt(read(next).value, path), put)).toBe(true);
        const old = valueAt(read(source).value, path);
        const height = typeof old === "string" ? lines(old).length + 20 : 1;
        expect(touched(source, next)).toBeLessThanOrEqual(Math.max(height, lines(put).length + 1));
      }),
      { numRuns: 200, seed: Number(process.env.ONWARD_SEED ?? 20) },
    );
  }, 60_000);
});
