//! The nearest right name.

/// The known name that is most like `wrong`, if one is near enough to be meant.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong_lower = wrong.to_lowercase();
    known
        .into_iter()
        .filter(|name| *name != wrong)
        .map(|name| (strsim::jaro_winkler(&wrong_lower, &name.to_lowercase()), strsim::damerau_levenshtein(&wrong_lower, &name.to_lowercase()), name))
        .filter(|(likeness, edits, name)| *edits <= 1 + name.len().max(wrong.len()) / 4 || (*likeness > 0.9 && *edits <= 4))
        .min_by(|a, b| a.1.cmp(&b.1).then(b.0.total_cmp(&a.0)))
        .map(|(_, _, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("templte", ["template", "text", "params"]), Some("template"));
        assert_eq!(nearest("wait-for", ["wait_for", "with"]), Some("wait_for"));
        assert_eq!(nearest("message.sned", ["message.send", "message.draft"]), Some("message.send"));
        assert_eq!(nearest("zebra", ["template", "text"]), None);
    }
}
