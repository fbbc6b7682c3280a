/** A dialog's head is no banner of the page, whatever element it is made of. */
export const PLAIN_HEADER = { header: { role: "presentation" } };
