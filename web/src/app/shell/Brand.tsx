import { PRODUCT } from "../../parts/product";
import classes from "./Brand.module.css";

/** The product's sign and name; a name is the same in every language. */
export function Brand() {
  return (
    <span className={classes.brand}>
      <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="#0b6e63" />
        <path d="M9 9l7 7-7 7M17 9l7 7-7 7" fill="none" stroke="#fff" strokeWidth="3.2" strokeLinecap="round" strokeLinejoin="round" />
      </svg>
      <span translate="no">{PRODUCT}</span>
    </span>
  );
}
