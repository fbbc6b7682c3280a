// @vitest-environment node
import { describe, expect, it } from "vitest";
import { readTree } from "../document/steps";
import { byStep, fixOf, stepOf, type Problem } from "./problems";

const source = `name: x
steps:
  - id: a
    do: message.sendd
    with: { templte: x }
  - id: a
    if: steps.b.timed_out
    then: []
`;

function problem(pointer: string, code: string, message: string, suggestion: string | null = null, severity = "error"): Problem {
  return { pointer, code, message, suggestion, severity, line: 1, column: 1 };
}

describe("one-click fixes", () => {
  it("put the right node in", () => {
    const fix = fixOf(problem("/steps/0/do", "unknown_node", 'there is no node "message.sendd"; did you mean "message.send"?', "message.send"), source);
    expect(fix?.apply(source)).toBe(source.replace("message.sendd", "message.send"));
  });
  it("rename a field", () => {
    const fix = fixOf(problem("/steps/0/with/templte", "unknown_field", 'message.send has no input "templte"; did you mean "template"?', "template"), source);
    expect(fix?.apply(source)).toBe(source.replace("templte", "template"));
  });
  it("mend a name inside an expression", () => {
    const fix = fixOf(problem("/steps/1/if", "unknown_step", 'there is no step "b"; did you mean "a"?', "a"), source);
    expect(fix?.apply(source)).toContain("if: steps.a.timed_out");
  });
  it("give a second step of the same id another", () => {
    expect(fixOf(problem("/steps/1/id", "duplicate_id", 'the id "a" is given twice'), source)?.apply(source)).toContain("- id: a_2");
  });
  it("fill an empty branch", () => {
    expect(fixOf(problem("/steps/1/then", "bad_value", "`then` has no steps"), source)?.apply(source)).toContain("then:\n      - stop: null");
  });
});

describe("problems", () => {
  const tree = readTree(source);
  it("belong to the innermost step around them", () => {
    expect(stepOf("/steps/0/with/templte", tree)).toBe("/steps/0");
    expect(stepOf("/name", tree)).toBe("");
  });
  it("are counted without hints", () => {
    const counted = byStep([problem("/steps/0/do", "x", "x"), problem("/steps/0/with", "x", "x", null, "warning"), problem("/steps/0", "x", "x", null, "hint")], tree);
    expect(counted.get("/steps/0")).toEqual({ errors: 1, warnings: 1 });
  });
});
