import { describe, expect, it } from "vitest";
import type { Contact } from "../../../client/schema";
import { changeOf, formOf, rebase } from "./form";

const contact = {
  id: "0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2d",
  name: "Meera Nair",
  first_name: "Meera",
  last_name: null,
  phones: ["+919812345670"],
  emails: [],
  language: null,
  timezone: null,
  score: 3,
  fields: { plan: "pro", seats: 4 },
} as unknown as Contact;
const base = formOf(contact, "");

describe("a contact's form", () => {
  it("sends only what changed", () => {
    expect(changeOf(base, base, contact, null)).toEqual({});
    expect(changeOf(base, { ...base, name: " Meera N. ", phones: ["+919812345670", "", " +33123456789 "] }, contact, null)).toEqual({
      name: "Meera N.",
      phones: ["+919812345670", "+33123456789"],
    });
    expect(changeOf(base, { ...base, first_name: " ", company: "Acme", score: "12" }, contact, "id of Acme")).toEqual({ first_name: null, company_id: "id of Acme", score: 12 });
  });
  it("keeps a number a number, adds fields, and takes those away that went", () => {
    const fields = [
      { name: "seats", value: "5" },
      { name: "city", value: "75001" },
      { name: " ", value: "nowhere" },
    ];
    expect(changeOf(base, { ...base, fields }, contact, null)).toEqual({ fields: { seats: 5, city: "75001", plan: null } });
  });
  it("keeps both people's changes, and names those that both made", () => {
    const mine = { ...base, name: "Meera K.", language: "ml" };
    const theirs = { ...base, timezone: "Asia/Kolkata", language: "ml", score: "9" };
    expect(rebase(base, mine, theirs)).toEqual({ form: { ...theirs, name: "Meera K." }, conflicts: [] });
    const { form, conflicts } = rebase(base, mine, { ...theirs, name: "Mira Nair" });
    expect(conflicts).toEqual(["name"]);
    expect([form.name, form.timezone]).toEqual(["Meera K.", "Asia/Kolkata"]);
  });
  it("puts fields together name by name", () => {
    const field = (name: string, value: string) => ({ name, value });
    const mine = { ...base, fields: [field("plan", "free"), field("city", "Kochi")] };
    const theirs = { ...base, fields: [field("plan", "pro"), field("seats", "4"), field("colour", "red")] };
    // `seats` went here, `colour` came there.
    expect(rebase(base, mine, theirs)).toEqual({ form: { ...base, fields: [field("plan", "free"), field("colour", "red"), field("city", "Kochi")] }, conflicts: [] });
    expect(rebase(base, mine, { ...base, fields: [field("plan", "team"), field("seats", "4")] }).conflicts).toEqual(["fields"]);
  });
});
