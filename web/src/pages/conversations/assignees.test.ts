import { describe, expect, it } from "vitest";
import { assigneeOf, readAssignee } from "./assignees";

describe("who cares for a conversation", () => {
  it("is a user, a team or nobody, and reads as it was written", () => {
    expect(readAssignee(assigneeOf({ assigned_user: "7", assigned_team: null }))).toEqual({ user: "7" });
    expect(readAssignee(assigneeOf({ assigned_user: null, assigned_team: "night shift" }))).toEqual({ team: "night shift" });
    expect(readAssignee(assigneeOf({ assigned_user: null, assigned_team: null }))).toEqual({});
  });
  it("is nobody for an address that says anything else", () => {
    expect([readAssignee("<b>"), readAssignee("user "), readAssignee("")]).toEqual([{}, {}, {}]);
  });
});
