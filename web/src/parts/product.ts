// The product's name: the same in every language, so it stands in no catalogue.

export const PRODUCT = "Onward";

/** Names the browser's tab. */
export function nameTab(page: string): void {
  document.title = `${page} · ${PRODUCT}`;
}
