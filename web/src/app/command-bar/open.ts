/** The event by which any part opens the command bar. */
export const OPEN = "onward:command-bar";

export function openCommandBar(): void {
  dispatchEvent(new Event(OPEN));
}
