//! Single scenarios, each for one rule.
