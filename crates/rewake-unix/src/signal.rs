//! Names and numbers of signals. Never sends one.

use nix::libc;

/// Number of a signal from `SIGUSR2`, `USR2`, `usr2`, `12`, `SIGRTMIN+3` or `RTMAX-1`; `None` when there is none such.
#[must_use]
pub fn number(text: &str) -> Option<i32> {
    let text = text.trim();
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().filter(|&number| is_signal(number));
    }
    let upper = text.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(&(_, number)) = NAMES.iter().chain(ALIASES).find(|(name, _)| *name == short) {
        return Some(number);
    }
    let real_time = match (short.strip_prefix("RTMIN"), short.strip_prefix("RTMAX")) {
        (Some(""), _) => libc::SIGRTMIN(),
        (Some(rest), _) => libc::SIGRTMIN().checked_add(distance(rest, '+')?)?,
        (_, Some("")) => libc::SIGRTMAX(),
        (_, Some(rest)) => libc::SIGRTMAX().checked_sub(distance(rest, '-')?)?,
        (None, None) => return None,
    };
    (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&real_time).then_some(real_time)
}

/// Name of a signal, `SIGKILL`, `SIGRTMIN+3`; `SIG<n>` for one that has none.
#[must_use]
pub fn name(number: i32) -> String {
    if let Some((name, _)) = NAMES.iter().find(|(_, known)| *known == number) {
        return format!("SIG{name}");
    }
    match number.checked_sub(libc::SIGRTMIN()) {
        Some(0) => "SIGRTMIN".to_owned(),
        Some(above) if above > 0 && number <= libc::SIGRTMAX() => format!("SIGRTMIN+{above}"),
        Some(_) | None => format!("SIG{number}"),
    }
}

/// Whether the number is one that can be sent.
#[must_use]
pub fn is_signal(number: i32) -> bool {
    (1..=libc::SIGRTMAX()).contains(&number)
}

fn distance(text: &str, sign: char) -> Option<i32> {
    let digits = text.strip_prefix(sign)?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

const NAMES: &[(&str, i32)] = &[
    ("HUP", libc::SIGHUP),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("ILL", libc::SIGILL),
    ("TRAP", libc::SIGTRAP),
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("KILL", libc::SIGKILL),
    ("USR1", libc::SIGUSR1),
    ("SEGV", libc::SIGSEGV),
    ("USR2", libc::SIGUSR2),
    ("PIPE", libc::SIGPIPE),
    ("ALRM", libc::SIGALRM),
    ("TERM", libc::SIGTERM),
    ("STKFLT", libc::SIGSTKFLT),
    ("CHLD", libc::SIGCHLD),
    ("CONT", libc::SIGCONT),
    ("STOP", libc::SIGSTOP),
    ("TSTP", libc::SIGTSTP),
    ("TTIN", libc::SIGTTIN),
    ("TTOU", libc::SIGTTOU),
    ("URG", libc::SIGURG),
    ("XCPU", libc::SIGXCPU),
    ("XFSZ", libc::SIGXFSZ),
    ("VTALRM", libc::SIGVTALRM),
    ("PROF", libc::SIGPROF),
    ("WINCH", libc::SIGWINCH),
    ("IO", libc::SIGIO),
    ("PWR", libc::SIGPWR),
    ("SYS", libc::SIGSYS),
];

/// Second names, never shown.
const ALIASES: &[(&str, i32)] = &[("IOT", libc::SIGABRT), ("CLD", libc::SIGCHLD), ("POLL", libc::SIGIO)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_signal_is_understood() {
        for text in ["SIGUSR2", "USR2", "usr2", "sigusr2", "12", " 12 "] {
            assert_eq!(number(text), Some(12), "{text}");
        }
        assert_eq!(number("SIGRTMIN+3"), Some(libc::SIGRTMIN() + 3));
        assert_eq!(number("rtmax-1"), Some(libc::SIGRTMAX() - 1));
        for text in ["", "0", "-1", "65", "999999999999", "SIGNONE", "RTMIN+99", "RTMIN-1", "RTMIN++1"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn every_number_has_a_name_that_leads_back() {
        for signal in 1..=31 {
            assert_eq!(number(&name(signal)), Some(signal));
        }
        assert_eq!(name(libc::SIGRTMIN() + 3), "SIGRTMIN+3");
        assert_eq!(number(&name(libc::SIGRTMAX())), Some(libc::SIGRTMAX()));
        assert_eq!(name(i32::MIN), format!("SIG{}", i32::MIN));
    }
}
