//! What can be typed.

use super::{Arguments, Command};
use clap::{CommandFactory as _, Parser as _};

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn every_command_has_help_and_a_place_for_data() {
    for command in Arguments::command().get_subcommands() {
        assert!(command.get_about().is_some(), "{} has no help", command.get_name());
    }
    // Global options have their names in every command.
    let mut all = Arguments::command();
    all.build();
    all.debug_assert();
    let arguments = Arguments::try_parse_from(["onward", "runs", "list", "--database", "sqlite://x.db", "--json", "--status", "waiting"]).unwrap();
    assert_eq!(arguments.place.database, "sqlite://x.db");
    assert!(arguments.json);
    assert!(matches!(arguments.command, Command::Runs(_)));
}

#[test]
fn wrong_use_is_refused() {
    for wrong in [
        vec!["onward"],
        vec!["onward", "validate"],
        vec!["onward", "replay"],
        vec!["onward", "replay", "--workflow", "x"],
        vec!["onward", "replay", "run", "--workflow", "x", "--against", "f"],
        vec!["onward", "run", "f", "--event", "e.json", "--input", "{}"],
        vec!["onward", "runs", "list", "--limit", "0"],
        vec!["onward", "serve", "--listen", "nowhere"],
        vec!["onward", "unknown"],
    ] {
        assert!(Arguments::try_parse_from(&wrong).is_err(), "{wrong:?}");
    }
}
