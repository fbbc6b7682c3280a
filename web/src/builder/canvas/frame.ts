// What the small map shows. Pure.

export interface Frame {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Around it so much is free, as a part of the whole. */
const MARGIN = 0.04;

/** The smallest frame of this shape that holds the whole graph and what is on the screen. */
export function frameOf(whole: Frame, view: Frame, width: number, height: number): Frame {
  const left = Math.min(whole.x, view.x);
  const top = Math.min(whole.y, view.y);
  const right = Math.max(whole.x + whole.width, view.x + view.width);
  const bottom = Math.max(whole.y + whole.height, view.y + view.height);
  const scale = Math.max((right - left) / width, (bottom - top) / height) * (1 + 2 * MARGIN);
  return { x: (left + right - width * scale) / 2, y: (top + bottom - height * scale) / 2, width: width * scale, height: height * scale };
}
