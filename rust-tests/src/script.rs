//! A core driven by hand, with its orders as short lines, so that a test reads like the story it tells.

use rewake_core::{
    CallId, Change, Command, Core, Effect, ExitStatus, Fact, Failure, Input, NewSlot, Phase, Policy, ReloadFailure,
    RunId, Slot, SlotId, SlotOutcome, Time,
};

/// A core, its clock, and the orders that nobody has looked at yet. Calls are numbered from 0 by the commands.
#[derive(Debug, Default)]
pub struct Script {
    pub core: Core,
    now: u64,
    calls: u64,
    effects: Vec<Effect>,
}

impl Script {
    /// One stopped slot, 0, with this policy.
    #[must_use]
    pub fn with(policy: Policy) -> Self {
        let mut script = Self::default();
        script.add("app", policy);
        script
    }

    /// One slot, 0, whose run 0 is online since 0.
    #[must_use]
    pub fn online(policy: Policy) -> Self {
        let mut script = Self::with(policy);
        script.start(0);
        script.spawned(0);
        script.ready(0);
        script.orders();
        script.changes();
        script
    }

    /// Adds a slot.
    pub fn add(&mut self, name: &str, policy: Policy) -> u32 {
        self.core.add(NewSlot { name: name.into(), namespace: "default".into(), policy }).0
    }

    /// A slot.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn slot(&self, id: u32) -> &Slot {
        self.core.slot(SlotId(id)).expect("a slot of this id")
    }

    /// The word for what a slot is doing.
    #[must_use]
    pub fn phase(&self, id: u32) -> &'static str {
        match self.slot(id).phase {
            Phase::Stopped => "stopped",
            Phase::Errored => "errored",
            Phase::Spawning { .. } => "spawning",
            Phase::Launching { .. } => "launching",
            Phase::Online { .. } => "online",
            Phase::Stopping(_) => "stopping",
            Phase::WaitingRestart { .. } => "waiting restart",
        }
    }

    /// Lets time pass without telling the core.
    pub fn wait(&mut self, ms: u64) {
        self.now += ms;
    }

    /// Lets time pass, then ticks.
    pub fn tick_after(&mut self, ms: u64) {
        self.wait(ms);
        self.step(Input::Tick);
    }

    /// When the next tick is due, ms from now.
    #[must_use]
    pub fn due_in(&self) -> Option<u64> {
        self.core.next_deadline().map(|at| at - Time(self.now))
    }

    pub fn command(&mut self, command: Command) {
        let call = CallId(self.calls);
        self.calls += 1;
        self.step(Input::Command(call, command));
    }

    pub fn start(&mut self, id: u32) {
        self.start_and_settle(id, 0);
    }

    pub fn start_and_settle(&mut self, id: u32, settle: u64) {
        self.command(Command::Start { slots: vec![SlotId(id)], settle });
    }

    pub fn stop(&mut self, id: u32) {
        self.command(Command::Stop { slots: vec![SlotId(id)] });
    }

    pub fn restart(&mut self, id: u32) {
        self.command(Command::Restart { slots: vec![SlotId(id)], settle: 0 });
    }

    /// One slot after the other.
    pub fn reload(&mut self, ids: &[u32]) {
        self.reload_by(1, ids);
    }

    pub fn reload_by(&mut self, parallel: usize, ids: &[u32]) {
        self.command(Command::Reload { slots: ids.iter().copied().map(SlotId).collect(), parallel });
    }

    pub fn delete(&mut self, id: u32) {
        self.command(Command::Delete { slots: vec![SlotId(id)] });
    }

    pub fn reset(&mut self, id: u32) {
        self.command(Command::Reset { slots: vec![SlotId(id)] });
    }

    pub fn signal(&mut self, id: u32, signal: i32) {
        self.command(Command::Signal { slots: vec![SlotId(id)], signal });
    }

    pub fn shutdown(&mut self) {
        self.command(Command::Shutdown);
    }

    pub fn fact(&mut self, fact: Fact) {
        self.step(Input::Fact(fact));
    }

    pub fn spawned(&mut self, run: u64) {
        self.fact(Fact::Spawned { run: RunId(run) });
    }

    pub fn spawn_failed(&mut self, run: u64, retry: bool) {
        self.fact(Fact::SpawnFailed { run: RunId(run), retry });
    }

    pub fn ready(&mut self, run: u64) {
        self.fact(Fact::Ready { run: RunId(run) });
    }

    pub fn listening(&mut self, run: u64) {
        self.fact(Fact::Listening { run: RunId(run) });
    }

    pub fn drained(&mut self, run: u64) {
        self.fact(Fact::Drained { run: RunId(run) });
    }

    /// The process ends with this code and leaves nothing behind.
    pub fn exited(&mut self, run: u64, code: i32) {
        self.fact(Fact::Exited { run: RunId(run), status: ExitStatus::Code(code), tree_gone: true });
    }

    /// The process ends with this code; what it started lives on.
    pub fn exited_leaving_a_tree(&mut self, run: u64, code: i32) {
        self.fact(Fact::Exited { run: RunId(run), status: ExitStatus::Code(code), tree_gone: false });
    }

    pub fn tree_gone(&mut self, run: u64) {
        self.fact(Fact::TreeGone { run: RunId(run) });
    }

    /// The numbers of a slot's runs: its own, then the one beside it.
    #[must_use]
    pub fn runs(&self, id: u32) -> Vec<u64> {
        self.slot(id).runs().map(|run| run.0).collect()
    }

    /// Everything since the last look, in order.
    pub fn everything(&mut self) -> Vec<String> {
        self.effects.drain(..).map(|effect| line(&effect)).collect()
    }

    /// The orders and answers since the last look, in order, without news and without who is to serve.
    pub fn orders(&mut self) -> Vec<String> {
        let is_news = |effect: &Effect| matches!(effect, Effect::Changed { .. } | Effect::Save | Effect::Serve { .. });
        let (news, orders): (Vec<Effect>, Vec<Effect>) = self.effects.drain(..).partition(is_news);
        self.effects = news;
        orders.iter().map(line).collect()
    }

    /// The news since the last look, in order, saves among them. Discards orders.
    pub fn changes(&mut self) -> Vec<String> {
        let is_news = |effect: &Effect| matches!(effect, Effect::Changed { .. } | Effect::Save);
        self.effects.drain(..).filter(is_news).map(|effect| line(&effect)).collect()
    }

    fn step(&mut self, input: Input) {
        self.core.step(Time(self.now), input, &mut self.effects);
    }
}

fn line(effect: &Effect) -> String {
    match effect {
        Effect::Spawn { slot, run } => format!("spawn run {run} of {slot}"),
        Effect::Signal { run, signal, tree: false } => format!("signal {signal} to run {run}"),
        Effect::Signal { run, signal, tree: true } => format!("signal {signal} to the tree of run {run}"),
        Effect::SendShutdown { run } => format!("send shutdown to run {run}"),
        Effect::Serve { slot, run } => format!("run {run} serves {slot}"),
        Effect::Drain { run } => format!("drain run {run}"),
        Effect::Release { run } => format!("release run {run}"),
        Effect::Reply { call, slots } => {
            let slots: Vec<String> = slots.iter().map(outcome).collect();
            format!("reply {call}: {}", slots.join(", "))
        }
        Effect::Changed { slot, change, .. } => match change {
            Change::ReloadFailed { why, alone: false } => format!("{slot} reload failed: {}", reload_failure(*why)),
            Change::ReloadFailed { why, alone: true } => {
                format!("{slot} reload failed alone: {}", reload_failure(*why))
            }
            Change::Exit(exit) => format!("{slot} exit {:?} after {}", exit.status, exit.lived),
            Change::Start
            | Change::Online
            | Change::ReadyTimeout
            | Change::Stop
            | Change::Restart
            | Change::Delete
            | Change::RestartOverlimit
            | Change::SpawnFailed
            | Change::CannotBeKilled
            | Change::Reload => format!("{slot} {change:?}"),
        },
        Effect::Save => "save".into(),
        Effect::Removed { slot } => format!("removed {slot}"),
        Effect::Never { what } => format!("never: {what}"),
    }
}

fn outcome(outcome: &SlotOutcome) -> String {
    let slot = outcome.slot;
    match outcome.result {
        Ok(()) => format!("{slot} ok"),
        Err(Failure::ExitedEarly(exit)) => format!("{slot} exited early with {:?}", exit.status),
        Err(Failure::ReloadFailed { why, alone: false }) => format!("{slot} not reloaded: {}", reload_failure(why)),
        Err(Failure::ReloadFailed { why, alone: true }) => {
            format!("{slot} not reloaded, alone: {}", reload_failure(why))
        }
        Err(
            failure @ (Failure::Unknown
            | Failure::NotRunning
            | Failure::Superseded
            | Failure::SpawnFailed
            | Failure::CannotBeKilled
            | Failure::ShuttingDown
            | Failure::NotReloaded),
        ) => format!("{slot} {failure:?}"),
    }
}

fn reload_failure(why: ReloadFailure) -> String {
    match why {
        ReloadFailure::Exited(exit) => format!("exited with {:?}", exit.status),
        ReloadFailure::DiedInSoak(exit) => format!("died in the soak with {:?}", exit.status),
        ReloadFailure::SpawnFailed | ReloadFailure::NotReady => format!("{why:?}"),
    }
}
