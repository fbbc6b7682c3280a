// Edits of a part of the file are those of the whole, to the byte.
import { describe, expect, it } from "vitest";
import { shipped } from "../tests/files";
import { chunksOf } from "./chunks";
import { isMap, read } from "./read";
import { copySteps, insertNewStep, insertSteps, moveSteps, readTree, removeSteps, setIn } from "./steps";
import { windowOf } from "./window";

/** A file with a directive is always read and edited as a whole. */
const WHOLE = "%YAML 1.2\n---\n";

/** The file with its steps several times over, so that it is long enough for windows; `null` where its steps stand otherwise. */
function long(source: string): string | null {
  const chunks = chunksOf(source);
  if (chunks === null) return null;
  const body = chunks.items.map((item) => item.text).join("").replace(/\n*$/, "\n");
  return chunks.head + body.repeat(Math.ceil(14 / chunks.items.length)) + chunks.tail;
}

const files = shipped.flatMap(([name, source]) => { const text = long(source); return text === null ? [] : [[name, text] as const]; });

it("nearly every shipped file can be taken apart", () => expect(files.length).toBeGreaterThan(shipped.length * 0.8));

describe.each(files)("%s", (_, source) => {
  const tree = readTree(source);
  const some = tree.all.filter((_step, index) => index === 0 || index === tree.all.length - 1 || index % Math.ceil(tree.all.length / 4) === 0);
  const same = (edit: (text: string) => string): void => expect(WHOLE + edit(source)).toBe(edit(WHOLE + source));

  it("reads the same value", () => expect(read(source).value).toEqual(read(WHOLE + source).value));

  it("is edited the same", () => {
    expect(windowOf(source, [["steps", 3]])?.text.length).toBeLessThan(source.length);
    for (const step of some) {
      const place = { list: step.path.slice(0, -1), index: Number(step.path.at(-1)) };
      const behind = { ...place, index: place.index + 1 };
      same((text) => removeSteps(text, [step.pointer]).source);
      expect(copySteps(source, [step.pointer])).toBe(copySteps(WHOLE + source, [step.pointer]));
      same((text) => insertSteps(text, place, "# why\n- delay: 1h # a while\n").source);
      same((text) => insertSteps(text, behind, "- { id: x, delay: 1h }\n- delay: 2h\n").source);
      same((text) => insertNewStep(text, behind, "if").source);
      same((text) => setIn(text, [...step.path, "name"], "another: name", ["id", "name"]));
      for (const other of some.slice(1, 4)) {
        if (other === step || other.pointer.startsWith(`${step.pointer}/`)) continue;
        const goal = { list: other.path.slice(0, -1), index: Number(other.path.at(-1)) };
        same((text) => moveSteps(text, [step.pointer], goal).source);
        expect(moveSteps(source, [step.pointer], goal).selected).toEqual(moveSteps(WHOLE + source, [step.pointer], goal).selected);
      }
    }
  }, 60_000);
});

describe("pieces", () => {
  it.each([
    ["steps: []\n"],
    ["steps:\n  one: two\n"],
    ["steps:\n  - a: 1\n name: x\n"],
    ["a: 1\nsteps:\n  - a: 1\nb: 2\na: 3\n"],
    ["steps:\n  - &x { a: 1 }\n  - *x\n"],
    ["steps:\n  - a: |\n      - text\n    b: 1\n  - c\nname: x\n"],
    ["steps:\n- a: 1\n- b: 2\nname: x # y\n"],
    ["steps:\n  - a: [1,\n  2]\n"],
    ["steps:\n  - a: 'x\n\n    y'\n  -\n    b: 1\n"],
    ["steps:\n  - a: 1\n# apart\n\n  # above\n  - b: 2\n"],
    ["steps: # all\n\n  - a: 1\n   - b: 2\n"],
    ["steps:\n  - a: 1\nsteps:\n  - b: 2\n"],
  ])("%j", (source) => {
    const [pieced, whole] = [read(source), read(WHOLE + source)];
    expect(pieced.errors.length > 0).toBe(whole.errors.length > 0);
    expect(pieced.value).toEqual(whole.value);
    expect(isMap(pieced.value) || pieced.errors.length > 0).toBe(true);
  });
});
