//! `rewake list`.

use std::io::{BufRead as _, BufReader};

use crate::home::{Home, SLEEPER};

const HEADER: [&str; 13] =
    ["id", "name", "namespace", "version", "mode", "pid", "uptime", "↺", "status", "cpu", "mem", "user", "watching"];

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('│').split('│').map(str::trim).collect()
}

#[test]
fn an_empty_list_is_its_header_and_starts_the_daemon_as_pm2_does() {
    let home = Home::new();
    let said = home.run("ls").good();
    assert!(said.err.contains("started the daemon"), "{said:?}");
    assert_eq!(said.out.lines().count(), 4);
    assert_eq!(cells(said.out.lines().nth(1).unwrap()), HEADER);
}

#[test]
fn rows_are_sorted_by_name_and_hold_no_colours_in_a_pipe() {
    let home = Home::new();
    home.file("app.js", SLEEPER);
    home.run("start app.js -n zebra").good();
    home.run("start app.js -n ant").good();
    let said = home.run("status").good();
    let names: Vec<_> = said.out.lines().filter(|line| line.contains("online")).map(|line| cells(line)[1]).collect();
    assert_eq!(names, ["ant", "zebra"]);
    assert!(!said.out.contains('\x1b'), "{said:?}");
    let said = home.run("list --sort id:asc").good();
    let names: Vec<_> = said.out.lines().filter(|line| line.contains("online")).map(|line| cells(line)[1]).collect();
    assert_eq!(names, ["zebra", "ant"]);
    let said = home.run("list -m").good();
    assert!(said.out.starts_with("+--- ant\nnamespace : default\n"), "{said:?}");
    let said = home.run("list --json").good();
    assert_eq!(said.json().as_array().unwrap().len(), 2);
    home.run("list --sort colour").bad();
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new();
    home.run("ping").good();
    let mut child = home.command(&["list"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        err.push_str(&line.unwrap());
    }
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}
