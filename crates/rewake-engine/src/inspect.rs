//! The debugger's port of a cluster worker: each one's own, as Node's primary gives it. Never looks whether a port is free.

use rewake_core::SlotId;

/// Node's default.
const DEFAULT_PORT: u16 = 9229;
/// Node takes none below, but for 0.
const LOWEST_PORT: u16 = 1024;

/// What a worker is given as its port, and found by in its arguments.
const OPTION: &str = "--inspect-port=";

/// `--inspect-port=…` for a worker that Node's inspector is asked for, by its own arguments or by `NODE_OPTIONS`; `None` where it is not.
///
/// A slot has two ports of its own, for the two runs that it has while it is reloaded: the new one gets what the one beside it has not.
/// The slot's id and not its number in the app: two apps that are debugged have different ports, too.
pub(crate) fn inspect_port(args: &[String], options: Option<&str>, slot: SlotId, beside: &[String]) -> Option<String> {
    let words = options.map_or_else(Vec::new, words);
    let base = base(words.iter().chain(args).map(String::as_str))?;
    if base == 0 {
        // The system chooses, for each.
        return Some(format!("{OPTION}0"));
    }
    let [first, second] = [1, 2].map(|step| format!("{OPTION}{}", after(base, 2 * u64::from(slot.0) + step)));
    Some(if beside.contains(&first) { second } else { first })
}

/// The same of a process that an earlier daemon has started, from its command line as the kernel shows it.
pub(crate) fn ports_in(command_line: &[u8]) -> impl Iterator<Item = String> {
    let words = command_line.split(|&byte| byte == 0).filter_map(|word| str::from_utf8(word).ok());
    words.filter(|word| word.starts_with(OPTION)).map(str::to_owned)
}

/// The port so many after one; past the highest it goes on at the lowest.
fn after(base: u16, steps: u64) -> u64 {
    let ports = u64::from(u16::MAX - LOWEST_PORT) + 1;
    // One below the lowest is refused by Node itself.
    u64::from(LOWEST_PORT) + (u64::from(base.saturating_sub(LOWEST_PORT)) + steps) % ports
}

/// The port that the options name, the last one first; `None` without any option of the inspector.
fn base<'a>(options: impl Iterator<Item = &'a str>) -> Option<u16> {
    let mut found = None;
    let mut options = options.peekable();
    while let Some(option) = options.next() {
        let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        // Node takes `_` for `-`, and only these two have a value in the next word.
        let value = match name.replace('_', "-").as_str() {
            "--inspect" | "--inspect-brk" | "--inspect-wait" | "--inspect-brk-node" => value,
            "--inspect-port" | "--debug-port" => value.or_else(|| options.next()),
            _ => continue,
        };
        found = value.and_then(port).or(found).or(Some(DEFAULT_PORT));
    }
    found
}

/// The port of `[host:]port`. A host alone has the default one. `None` for what Node refuses, and says so itself.
fn port(value: &str) -> Option<u16> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match value.rsplit_once(':') {
        Some(_) if value.starts_with('[') && value.ends_with(']') => Some(DEFAULT_PORT),
        Some((_, port)) => port.parse().ok(),
        None if is_number(value) => value.parse().ok(),
        None => Some(DEFAULT_PORT),
    }
}

/// The words of `NODE_OPTIONS`: blanks part them, except between double quotes, where a backslash protects the next character.
fn words(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut chars = options.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' if quoted => word.extend(chars.next()),
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(args: &[&str], options: Option<&str>) -> Option<u16> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let found = inspect_port(&args, options, SlotId(0), &[])?;
        Some(found.strip_prefix("--inspect-port=").unwrap().parse().unwrap())
    }

    #[test]
    fn without_an_option_of_the_inspector_there_is_no_port() {
        assert_eq!(given(&[], None), None);
        assert_eq!(
            given(&["--require", "x", "--inspector", "--no-inspect", "-i"], Some("--max-old-space-size=64")),
            None
        );
        assert_eq!(given(&["--inspect-publish-uid=http"], None), None);
    }

    #[test]
    fn every_option_of_the_inspector_counts() {
        for option in ["--inspect", "--inspect-brk", "--inspect-wait", "--inspect_brk", "--inspect-brk-node"] {
            assert_eq!(given(&[option], None), Some(9230), "{option}");
            assert_eq!(given(&[&format!("{option}=9400")], None), Some(9401), "{option}");
        }
        for option in ["--inspect-port", "--debug-port", "--inspect_port"] {
            assert_eq!(given(&[&format!("{option}=9400")], None), Some(9401), "{option}");
            assert_eq!(given(&[option, "9400"], None), Some(9401), "{option}");
        }
    }

    #[test]
    fn the_last_port_that_is_named_counts_whatever_names_it() {
        assert_eq!(given(&["--inspect-port=9500", "--inspect"], None), Some(9501));
        assert_eq!(given(&["--inspect=9400", "--inspect-port=9500"], None), Some(9501));
        assert_eq!(given(&["--inspect=9400"], Some("--inspect=9500")), Some(9401));
        assert_eq!(given(&[], Some("--title=x \"--inspect=9500\"  ")), Some(9501));
        assert_eq!(given(&["--inspect"], Some("--inspect-port 9500")), Some(9501));
    }

    #[test]
    fn a_host_is_no_port() {
        for (value, port) in [
            ("0.0.0.0", 9230),
            ("localhost", 9230),
            ("127.0.0.1:9400", 9401),
            ("[::1]:9400", 9401),
            ("[::1]", 9230),
            ("", 9230),
            ("99999", 9230),
            ("x:y", 9230),
        ] {
            assert_eq!(given(&[&format!("--inspect={value}")], None), Some(port), "{value}");
        }
    }

    #[test]
    fn port_0_stays_0_and_past_the_highest_it_begins_anew() {
        assert_eq!(given(&["--inspect=0"], None), Some(0));
        assert_eq!(given(&["--inspect=127.0.0.1:0"], None), Some(0));
        assert_eq!(given(&["--inspect=65534"], None), Some(65535));
        assert_eq!(given(&["--inspect=65535"], None), Some(1024));
    }

    #[test]
    fn no_two_runs_that_are_there_at_once_have_the_same() {
        let of = |slot, beside: &[String]| inspect_port(&["--inspect".to_owned()], None, SlotId(slot), beside).unwrap();
        let both = |slot| {
            let first = of(slot, &[]);
            let second = of(slot, std::slice::from_ref(&first));
            assert_eq!(of(slot, std::slice::from_ref(&second)), first);
            [first, second]
        };
        let all: std::collections::BTreeSet<String> = (0..1000).flat_map(both).collect();
        assert_eq!(all.len(), 2000);
        assert_eq!(both(0), ["--inspect-port=9230", "--inspect-port=9231"]);
        assert_eq!(both(3), ["--inspect-port=9236", "--inspect-port=9237"]);
        assert!(of(u32::MAX, &[]).len() <= "--inspect-port=65535".len());
    }

    #[test]
    fn the_port_of_a_process_is_found_in_its_command_line() {
        let line = b"node\0--require\0\xff\0--inspect=9229\0--inspect-port=9230\0app.js\0";
        assert!(ports_in(line).eq(["--inspect-port=9230"]));
        assert_eq!(ports_in(b"").count(), 0);
    }

    #[test]
    fn words_of_node_options_are_parted_as_node_parts_them() {
        assert_eq!(words(r#"--a  "--b c" "--d=\"e\\" f"#), ["--a", "--b c", "--d=\"e\\", "f"]);
        assert!(words("  ").is_empty());
    }
}
