// What somebody is writing, kept in the browser's tab until it is sent: a reload or an ended session loses nothing.

const PREFIX = "onward.kept.";

export function kept(place: string): string | null {
  try {
    return sessionStorage.getItem(PREFIX + place);
  } catch {
    return null;
  }
}

export function keep(place: string, text: string | null): void {
  try {
    if (text === null) {
      sessionStorage.removeItem(PREFIX + place);
    } else {
      sessionStorage.setItem(PREFIX + place, text);
    }
  } catch {
    // A browser that keeps nothing keeps nothing.
  }
}
