// Many changes in a row are one look: the first at once, the others together when the rest is over.

export class Coalescer {
  readonly #resting = new Map<string, boolean>();
  readonly #look: (name: string) => void;

  constructor(look: (name: string) => void) {
    this.#look = look;
  }

  /** Looks at once, or once after the rest of a look that was just made. */
  changed(name: string, restMs: number): void {
    if (this.#resting.has(name)) {
      this.#resting.set(name, true);
      return;
    }
    this.#begin(name, restMs);
  }

  #begin(name: string, restMs: number): void {
    this.#resting.set(name, false);
    this.#look(name);
    setTimeout(() => {
      const again = this.#resting.get(name) === true;
      this.#resting.delete(name);
      if (again) {
        this.#begin(name, restMs);
      }
    }, restMs);
  }
}
