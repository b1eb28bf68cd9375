//! Which crate may use which. The one table of it; ARCHITECTURE.md says the same in words. Never looks at a file.

/// A crate as the check sees it: its name, and the names of what it uses.
pub(crate) struct Crate<'a> {
    pub(crate) name: &'a str,
    pub(crate) uses: Vec<&'a str>,
}

/// From the bottom to the top. A crate may use those of the lines before its own, and none of its own line.
const LINES: &[&[&str]] = &[
    &["rewake-core", "rewake-nodeipc", "rewake-wire"],
    &["rewake-logs", "rewake-unix"],
    &["rewake-keeper"],
    &["rewake-config", "rewake-engine"],
    &["rewake-client", "rewake-daemon"],
    &["rewake-cli", "rewake-napi"],
    &["rust-tests"],
];

/// Crates from outside that some of ours must do without, and why.
const FORBIDDEN: &[(&[&str], &[&str], &str)] = &[
    (
        &["rewake-core", "rewake-nodeipc", "rewake-wire"],
        &["tokio", "nix", "libc", "rustix", "mio", "notify", "jiff", "tempfile"],
        "pure: no clock, no system calls",
    ),
    (&["rewake-core"], &["serde_json"], "how its state is written down is not its business"),
    (&["rewake-keeper", "rewake-unix", "rewake-config"], &["tokio"], "without an async runtime"),
];

/// What is wrong with the arrows of these crates, as sentences. Tests may use what they like of other people's crates.
pub(crate) fn problems(crates: &[Crate<'_>]) -> Vec<String> {
    let mut problems = Vec::new();
    for Crate { name, uses } in crates {
        let Some(line) = line(name) else {
            problems.push(format!("{name} has no line in the table of rust-tests/tests/tidy/arrows.rs"));
            continue;
        };
        for used in uses {
            match self::line(used) {
                Some(other) if other > line => problems.push(format!("{name} uses {used}, which is above it")),
                Some(other) if other == line => problems.push(format!("{name} uses {used}, which is beside it")),
                Some(_) => {}
                None => problems.extend(forbidden(name, used)),
            }
        }
    }
    for name in LINES.iter().copied().flatten() {
        if !crates.iter().any(|known| known.name == *name) {
            problems.push(format!("the table has {name}, the workspace has not"));
        }
    }
    problems
}

fn line(name: &str) -> Option<usize> {
    LINES.iter().position(|line| line.contains(&name))
}

fn forbidden(name: &str, used: &str) -> Option<String> {
    let found = FORBIDDEN.iter().find(|(ours, theirs, _)| ours.contains(&name) && theirs.contains(&used));
    found.map(|(_, _, why)| format!("{name} uses {used}, but it is {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The problems when `name` uses `used` and everybody else is good.
    fn when(name: &str, used: &str) -> String {
        let mut crates: Vec<Crate<'_>> =
            LINES.iter().copied().flatten().map(|name| Crate { name, uses: Vec::new() }).collect();
        match crates.iter_mut().find(|known| known.name == name) {
            Some(known) => known.uses.push(used),
            None => crates.push(Crate { name, uses: vec![used] }),
        }
        problems(&crates).join("; ")
    }

    #[test]
    fn arrows_that_go_down_are_right() {
        assert_eq!(when("rewake-cli", "rewake-wire"), "");
        assert_eq!(when("rewake-keeper", "rewake-unix"), "");
        assert_eq!(when("rewake-engine", "tokio"), "");
    }

    #[test]
    fn wrong_arrows_are_noticed() {
        assert_eq!(when("rewake-unix", "rewake-keeper"), "rewake-unix uses rewake-keeper, which is above it");
        assert_eq!(when("rewake-wire", "rewake-core"), "rewake-wire uses rewake-core, which is beside it");
        assert_eq!(when("rewake-core", "nix"), "rewake-core uses nix, but it is pure: no clock, no system calls");
        assert_eq!(when("rewake-keeper", "tokio"), "rewake-keeper uses tokio, but it is without an async runtime");
    }

    #[test]
    fn a_crate_that_nobody_thought_of_is_noticed() {
        assert!(when("rewake-new", "serde").starts_with("rewake-new has no line"));
        let only = Crate { name: "rewake-core", uses: Vec::new() };
        assert!(problems(&[only]).contains(&"the table has rewake-wire, the workspace has not".to_owned()));
    }
}
