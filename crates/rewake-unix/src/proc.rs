//! What `/proc` tells about processes, at one moment. Never caches, and never trusts a name inside `stat`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::{Pid, SysconfVar, sysconf};

use crate::reap::Ended;

/// One process at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub pid: u32,
    /// `R`, `S`, `D`, `Z`, …
    pub state: u8,
    pub parent: u32,
    pub group: u32,
    pub session: u32,
    /// User and system time of all its threads, in ticks (see [`ticks_per_second`]).
    pub cpu_ticks: u64,
    pub threads: u32,
    /// When it started, in ticks since boot. Together with the pid it names a process for good.
    pub start_ticks: u64,
    /// Resident memory in pages (see [`page_size`]).
    pub rss_pages: u64,
}

impl Stat {
    /// It has ended and only waits to be reaped. (A process whose first thread has ended but others live is no zombie.)
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }

    /// Resident memory in bytes.
    #[must_use]
    pub fn rss_bytes(&self) -> u64 {
        self.rss_pages.saturating_mul(page_size())
    }

    /// When it started, in ms since 1970; `boot_ms` is [`boot_time_ms`].
    #[must_use]
    pub fn started_at_ms(&self, boot_ms: u64) -> u64 {
        boot_ms + self.start_ticks * 1000 / ticks_per_second()
    }
}

/// Reads `/proc/<pid>/stat`.
///
/// # Errors
/// `NotFound` (or `ESRCH`) when there is no such process; `InvalidData` when the kernel says something unheard of.
pub fn stat(pid: u32) -> io::Result<Stat> {
    // 52 numbers of at most 20 digits and a name of at most 64 bytes fit with room to spare.
    let mut buffer = [0; 1280];
    let length = File::open(format!("/proc/{pid}/stat"))?.read(&mut buffer)?;
    parse(pid, buffer.get(..length).unwrap_or_default()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// What the kernel calls a process: the first bytes of its program's name, or what it chose itself.
///
/// # Errors
/// `NotFound` (or `ESRCH`) when there is no such process.
pub fn name(pid: u32) -> io::Result<String> {
    let bytes = fs::read(format!("/proc/{pid}/comm"))?;
    Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

/// How a process ended that nobody has reaped yet; `None` when it has not ended, or we may not know.
///
/// # Errors
/// As [`stat`].
pub fn zombie_status(pid: u32) -> io::Result<Option<Ended>> {
    let line = fs::read(format!("/proc/{pid}/stat"))?;
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    if !parse(pid, &line).ok_or_else(invalid)?.is_zombie() {
        return Ok(None);
    }
    // Its last field; 0 also for somebody who may not read it, but then all of it is another user's.
    let status = line.trim_ascii_end().rsplit(|&byte| byte == b' ').next();
    let status: Option<i32> = status.and_then(|text| str::from_utf8(text).ok()?.parse().ok());
    Ok(Some(Ended::of_status(status.ok_or_else(invalid)?)))
}

/// What is never the same for two boots of a machine.
///
/// # Errors
/// When `/proc` is not there.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim_end().to_owned())
}

/// All processes at this moment.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn all() -> io::Result<Vec<Stat>> {
    let number = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse::<u32>().ok();
    Ok(fs::read_dir("/proc")?.filter_map(number).filter_map(|pid| stat(pid).ok()).collect())
}

/// The environment that a process was started with, entry by entry.
///
/// # Errors
/// When it is gone, or another user's.
pub fn environment(pid: u32) -> io::Result<Vec<Vec<u8>>> {
    let bytes = fs::read(format!("/proc/{pid}/environ"))?;
    Ok(bytes.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect())
}

/// CPU time of all threads of a process, user and system. Exact, and far cheaper than [`stat`]: it asks the process's own clock.
///
/// # Errors
/// When there is no such process.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let id = Pid::from_raw(i32::try_from(pid).map_err(|_| io::ErrorKind::NotFound)?);
    let clock = clock_getcpuclockid(id)?;
    Ok(clock_gettime(clock)?.into())
}

/// How many descriptors a process has open, without looking at any of them; `None` where the kernel does not tell (before
/// Linux 6.2) or the process is gone or not ours.
#[must_use]
pub fn open_descriptors(pid: u32) -> Option<u32> {
    let count = fs::metadata(format!("/proc/{pid}/fd")).ok()?.len();
    u32::try_from(count).ok().filter(|&count| count > 0)
}

/// Resident memory of a process in bytes, from `/proc/<pid>/statm`.
///
/// # Errors
/// When there is no such process.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    // Seven numbers of at most 20 digits.
    let mut buffer = [0; 160];
    let length = File::open(format!("/proc/{pid}/statm"))?.read(&mut buffer)?;
    let text = std::str::from_utf8(buffer.get(..length).unwrap_or_default()).unwrap_or_default();
    let pages: Option<u64> = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.map(|pages| pages.saturating_mul(page_size())).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse(pid: u32, line: &[u8]) -> Option<Stat> {
    // The name is between the first `(` and the last `)`; it may hold parentheses, spaces and newlines.
    let name_end = line.iter().rposition(|&byte| byte == b')')?;
    let rest = str::from_utf8(line.get(name_end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Numbered as in proc(5), where the state is field 3.
    let field = |number: usize| fields.get(number - 3).copied();
    let number = |at: usize| field(at)?.parse::<u64>().ok();
    // A group or session of 0 or -1 belongs to kernel threads and other pid namespaces.
    let id = |at: usize| field(at).map(|text| text.parse::<u32>().unwrap_or(0));
    Some(Stat {
        pid,
        state: *field(3)?.as_bytes().first()?,
        parent: id(4)?,
        group: id(5)?,
        session: id(6)?,
        cpu_ticks: number(14)? + number(15)?,
        threads: id(20)?,
        start_ticks: number(22)?,
        rss_pages: number(24)?,
    })
}

/// All live and dead-but-unreaped descendants, each after its parent. Descendants whose parent has ended are not found.
///
/// # Errors
/// When `/proc` cannot be read. Processes that end meanwhile are left out.
pub fn descendants(pid: u32) -> io::Result<Vec<Stat>> {
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![pid];
    let mut at = 0;
    while let Some(&parent) = parents.get(at) {
        at += 1;
        let children = match children(parent) {
            Ok(children) => children,
            // The kernel was built without the file: one look at everything instead.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return descendants_by_scan(pid),
            Err(_) => continue,
        };
        for child in children {
            if let Ok(stat) = stat(child)
                && stat.parent == parent
                && !parents.contains(&child)
            {
                parents.push(child);
                found.push(stat);
            }
        }
    }
    Ok(found)
}

/// Pids of the children of a process, zombies included.
///
/// # Errors
/// `NotFound` when it is gone, `Unsupported` when the kernel has no such file.
pub fn children(pid: u32) -> io::Result<Vec<u32>> {
    let mut pids = Vec::new();
    // Each thread lists the children that it made itself.
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = thread?.path();
        match fs::read_to_string(path.join("children")) {
            Ok(text) => pids.extend(text.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.join("stat").exists() => {
                return Err(io::ErrorKind::Unsupported.into());
            }
            // The thread has ended meanwhile.
            Err(_) => {}
        }
    }
    Ok(pids)
}

fn descendants_by_scan(pid: u32) -> io::Result<Vec<Stat>> {
    let all = everything()?;
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![pid];
    let mut at = 0;
    while let Some(&parent) = parents.get(at) {
        at += 1;
        for stat in all.iter().filter(|stat| stat.parent == parent && stat.pid != parent) {
            if !parents.contains(&stat.pid) {
                parents.push(stat.pid);
                found.push(*stat);
            }
        }
    }
    Ok(found)
}

/// Members of a process group that have not ended.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn group_members(group: u32) -> io::Result<Vec<Stat>> {
    let mut members = everything()?;
    members.retain(|stat| stat.group == group && !stat.is_zombie());
    Ok(members)
}

fn everything() -> io::Result<Vec<Stat>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may end between the listing and the look.
        if let Ok(stat) = stat(pid) {
            all.push(stat);
        }
    }
    Ok(all)
}

/// Bytes of a page of memory.
#[must_use]
pub fn page_size() -> u64 {
    setting(SysconfVar::PAGE_SIZE, 4096)
}

/// Ticks of `/proc` per second.
#[must_use]
pub fn ticks_per_second() -> u64 {
    setting(SysconfVar::CLK_TCK, 100)
}

fn setting(variable: SysconfVar, usual: u64) -> u64 {
    sysconf(variable)
        .ok()
        .flatten()
        .and_then(|value| u64::try_from(value).ok())
        .filter(|&value| value > 0)
        .unwrap_or(usual)
}

/// When the machine was started, in ms since 1970, by the clock as it is set now.
///
/// # Errors
/// Only when the kernel has no such clocks.
pub fn boot_time_ms() -> io::Result<u64> {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_REALTIME)?);
    let since_boot = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME)?);
    Ok(u64::try_from(now.saturating_sub(since_boot).as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_and_memory_of_a_process_are_what_its_stat_says() {
        let pid = std::process::id();
        let (stat, cpu) = (stat(pid).unwrap(), cpu_time(pid).unwrap());
        let ticks = Duration::from_millis(stat.cpu_ticks * 1000 / ticks_per_second());
        assert!(cpu + Duration::from_millis(50) > ticks && cpu < ticks + Duration::from_secs(1), "{cpu:?} {ticks:?}");
        let (resident, told) = (resident_bytes(pid).unwrap(), stat.rss_bytes());
        assert!(resident.abs_diff(told) < told / 2, "{resident} {told}");
        // Linux gives no pid above 2^22.
        assert!(cpu_time((1 << 22) + 7).is_err());
        assert!(resident_bytes((1 << 22) + 7).is_err());
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let line =
            b"42 (a) R 1 (b) S 7 42 42 0 -1 4194560 1 2 3 4 11 22 5 6 20 0 3 0 777 1000 99 18446744073709551615 0";
        let stat = parse(42, line).unwrap();
        assert_eq!((stat.state, stat.parent, stat.group, stat.session), (b'S', 7, 42, 42));
        assert_eq!((stat.cpu_ticks, stat.threads, stat.start_ticks, stat.rss_pages), (33, 3, 777, 99));
        assert_eq!(parse(42, b"42 (cut) S 7"), None);
    }

    #[test]
    fn this_process_is_seen_with_its_memory_and_start() {
        let me = stat(std::process::id()).unwrap();
        assert!(name(me.pid).unwrap().starts_with("rewake_unix"));
        assert!(me.rss_bytes() > 100_000 && me.threads >= 1 && !me.is_zombie());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
        let started = me.started_at_ms(boot_time_ms().unwrap());
        assert!(started <= now + 1000 && now - started < 3_600_000, "{started} {now}");
    }

    #[test]
    fn both_walks_find_children_and_grandchildren() {
        let mut shell = std::process::Command::new("/bin/sh")
            .args(["-c", "sleep 60 & sh -c 'sleep 60 & echo; wait' & wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // The inner shell's line says that its sleep has been started; the outer one was started before it.
        let mut byte = [0];
        shell.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
        let mut walked = descendants(shell.id()).unwrap();
        let mut scanned = descendants_by_scan(shell.id()).unwrap();
        for stat in &walked {
            nix::sys::signal::kill(Pid::from_raw(stat.pid as i32), nix::sys::signal::SIGKILL).unwrap();
        }
        shell.kill().unwrap();
        shell.wait().unwrap();
        walked.sort_by_key(|stat| stat.pid);
        scanned.sort_by_key(|stat| stat.pid);
        let pids = |stats: &[Stat]| stats.iter().map(|stat| stat.pid).collect::<Vec<_>>();
        assert_eq!(walked.len(), 3, "{walked:?}");
        assert_eq!(pids(&walked), pids(&scanned));
    }
}
