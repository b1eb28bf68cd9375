//! How a pretend process behaves, drawn when it is made. Holds choices; acts on none.

use rewake_core::ExitStatus;

use super::rng::Rng;

/// One process's character. Times in ms.
#[derive(Debug, Clone)]
pub struct Nature {
    /// Until the outcome of the spawn is reported.
    pub birth: u64,
    /// The spawn fails; whether a second try could succeed.
    pub stillborn: Option<bool>,
    /// It ends by itself after so long, like this.
    pub crash: Option<(u64, ExitStatus)>,
    /// It says `'ready'` so long after its start, each time.
    pub ready: Vec<u64>,
    /// It begins to listen so long after its start.
    pub listens: Option<u64>,
    /// It has served what it had so long after it was told to accept nothing any more; `None`: never.
    pub drains: Option<u64>,
    /// It ends by itself when it has.
    pub leaves: bool,
    /// It obeys a polite signal after so long; `None`: ignores it.
    pub polite: Option<u64>,
    pub channel: Channel,
    /// SIGKILL ends it after so long; `None`: never (uninterruptible sleep).
    pub mortal: Option<u64>,
    /// What it started and what may outlive it.
    pub tree: Option<Tree>,
    /// From an end to its report.
    pub report: u64,
    /// Its end is reported without waiting for the report of its birth.
    pub hasty: bool,
}

/// How it takes the message `'shutdown'`.
#[derive(Debug, Clone, Copy)]
pub enum Channel {
    /// Obeys after so long.
    Obeys(u64),
    Ignores,
    /// Has no channel.
    None,
}

/// The rest of a process group.
#[derive(Debug, Clone, Copy)]
pub struct Tree {
    /// Ends so long after its parent without being asked.
    pub by_itself: Option<u64>,
    pub polite: Option<u64>,
    pub mortal: Option<u64>,
}

impl Nature {
    /// Anything that processes have been seen to do.
    pub fn wild(rng: &mut Rng) -> Self {
        Self {
            birth: rng.pick(&[0, 1, 1, 3, 20, 700]),
            stillborn: rng.percent(12).then(|| rng.percent(60)),
            crash: rng.percent(55).then(|| (lifetime(rng), status(rng))),
            ready: (0..rng.pick(&[0, 1, 1, 1, 2])).map(|_| lifetime(rng)).collect(),
            listens: rng.percent(70).then(|| rng.pick(&[0, 1, 20, 500, 999, 1001, 2999, 3001, 9000])),
            drains: rng.percent(70).then(|| rng.pick(&[0, 1, 50, 1000, 7999, 8001])),
            leaves: rng.percent(30),
            polite: rng.percent(75).then(|| rng.pick(&[0, 1, 40, 1500, 1600, 1700, 9000])),
            channel: match rng.below(4) {
                0 => Channel::Ignores,
                1 => Channel::None,
                _ => Channel::Obeys(rng.pick(&[0, 1, 40, 1600])),
            },
            mortal: rng.percent(93).then(|| rng.pick(&[0, 0, 1, 5, 100, 2500, 7000])),
            tree: rng.percent(20).then(|| Tree {
                by_itself: rng.percent(50).then(|| rng.pick(&[0, 1, 500, 5000])),
                polite: rng.percent(50).then(|| rng.pick(&[0, 1, 1500])),
                mortal: rng.percent(85).then(|| rng.pick(&[0, 1, 100, 3000])),
            }),
            report: rng.pick(&[0, 0, 1, 1, 30, 2000]),
            hasty: rng.percent(4),
        }
    }

    /// A process that does as it is told.
    #[must_use]
    pub fn tame() -> Self {
        Self {
            birth: 1,
            stillborn: None,
            crash: None,
            ready: vec![5],
            listens: Some(4),
            drains: Some(3),
            leaves: false,
            polite: Some(2),
            channel: Channel::Obeys(2),
            mortal: Some(0),
            tree: None,
            report: 1,
            hasty: false,
        }
    }
}

/// Around the moments at which the policy turns: `min_uptime`, `kill_timeout`, `listen_timeout`, the healthy 30 s.
fn lifetime(rng: &mut Rng) -> u64 {
    rng.pick(&[0, 1, 5, 5, 99, 100, 400, 998, 999, 1000, 1001, 2999, 3000, 3001, 29_999, 30_000, 60_000])
}

fn status(rng: &mut Rng) -> ExitStatus {
    match rng.below(10) {
        0 => ExitStatus::Unknown,
        1..4 => ExitStatus::Signal(rng.pick(&[6, 9, 11, 15])),
        _ => ExitStatus::Code(rng.pick(&[0, 0, 1, 1, 2, 78, 130, 255, i32::MIN, i32::MAX])),
    }
}
