import { expect, it } from "vitest";
import { fieldsOf, valuesOf } from "./fields";

it("a schema becomes fields, those that must be said first, and what is typed becomes values", () => {
  const fields = fieldsOf({
    properties: { base_url: { type: ["string", "null"], description: "Elsewhere." }, phone_number_id: { type: "string" }, port: { type: "integer" }, tls: { type: "boolean" } },
    required: ["phone_number_id"],
  });
  expect(fields.map(({ name, title, kind }) => [name, title, kind])).toEqual([
    ["phone_number_id", "Phone number id", "text"],
    ["base_url", "Base url", "text"],
    ["port", "Port", "number"],
    ["tls", "Tls", "truth"],
  ]);
  expect(valuesOf(fields, { phone_number_id: " 12 ", base_url: "", port: "25", tls: "true" })).toEqual({ phone_number_id: "12", port: 25, tls: true });
  expect(fieldsOf(null)).toEqual([]);
});
