//! Reports for build servers, in the XML of `JUnit`.

use super::FileReport;
use onward_core::definition::render_problem;
use std::fmt::Write as _;

pub(super) fn document(files: &[FileReport]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for file in files {
        let name = escaped(&file.file);
        // A file that cannot be played is one case that failed: build servers count cases.
        let broken = file.cases.is_empty() && !file.has_passed();
        let failed = file.cases.iter().filter(|case| !case.passed).count() + usize::from(broken);
        let cases = file.cases.len() + usize::from(broken);
        let _ = writeln!(xml, "  <testsuite name=\"{name}\" tests=\"{cases}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">");
        if broken {
            let problems: Vec<String> = file.problems.iter().map(|problem| render_problem(&problem.file, &problem.problem)).collect();
            case(&mut xml, &name, &name, &problems);
        }
        for played in &file.cases {
            let problems: Vec<String> = played.problems.iter().map(|problem| render_problem(&file.file, problem)).collect();
            case(&mut xml, &name, &escaped(&played.name), &problems);
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(xml: &mut String, class: &str, name: &str, problems: &[String]) {
    let _ = write!(xml, "    <testcase classname=\"{class}\" name=\"{name}\"");
    match problems.first() {
        None => xml.push_str("/>\n"),
        Some(first) => {
            let _ = writeln!(xml, ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>", escaped(first), escaped(&problems.join("\n")));
        }
    }
}

/// Text within XML 1.0: what it reserves is escaped, what it cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            letter if letter < ' ' || matches!(letter, '\u{fffe}' | '\u{ffff}') => {}
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_runtime::play::{CaseReport, Coverage};

    #[test]
    fn what_xml_reserves_is_escaped() {
        let mut failed = CaseReport { name: "a < \"b\" & c".into(), passed: false, problems: Vec::new(), line: 3, coverage: Coverage::default() };
        failed.hardened(vec!["x > \u{1}y".into()]);
        let report = FileReport { file: "w.test.yaml".into(), cases: vec![failed], problems: Vec::new(), coverage: None, workflow: String::new() };
        let xml = document(&[report]);
        assert!(xml.contains("tests=\"1\" failures=\"1\""), "{xml}");
        assert!(xml.contains("name=\"a &lt; &quot;b&quot; &amp; c\""), "{xml}");
        assert!(xml.contains("<failure message=\"w.test.yaml:3:1 error hardening: x &gt; y\">"), "{xml}");
    }
}
