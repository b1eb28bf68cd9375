//! `start`: apps from their descriptions. All are checked before any is touched.

use std::collections::BTreeSet;

use rewake_core::{Command, Phase, RunId, Slot, SlotId, Wanted};
use rewake_wire::{AppSpec, ErrorCode, ErrorReply, WhenKnown};

use crate::clock::epoch_ms;
use crate::engine::Engine;
use crate::logs::file;
use crate::logs::paths::{self, LogPaths};
use crate::pending::{Answer, Then, tell};
use crate::sheet::{Sheet, new_slot, policy};
use crate::sockets;

/// More instances than any machine has cores for; a typing error, not a wish.
pub(super) const MOST_INSTANCES: u32 = 4096;

pub(crate) fn start(engine: &mut Engine, apps: Vec<AppSpec>, when_known: WhenKnown, settle: u64, answer: Answer) {
    match check(engine, &apps, when_known) {
        Ok(()) => {
            let plan = enlist(engine, apps, when_known);
            let slots = [&plan.start[..], &plan.restart, &plan.reload, &plan.listed].concat();
            engine.open(plan.commands(when_known, settle), &slots, Then::Answer, answer);
        }
        Err(error) => tell(answer, Err(error)),
    }
}

/// What is to be done with which slots.
#[derive(Debug, Default)]
struct Enlisted {
    start: Vec<SlotId>,
    restart: Vec<SlotId>,
    reload: Vec<SlotId>,
    /// `autostart: false`: listed, and not started.
    listed: Vec<SlotId>,
}

impl Enlisted {
    fn commands(&self, when_known: WhenKnown, settle: u64) -> Vec<Command> {
        let start = (!self.start.is_empty()).then(|| Command::Start { slots: self.start.clone(), settle });
        let restart = (!self.restart.is_empty()).then(|| Command::Restart { slots: self.restart.clone(), settle });
        let parallel = super::reload::at_a_time(match when_known {
            WhenKnown::Reload { parallel, .. } => parallel,
            WhenKnown::Refuse | WhenKnown::Replace | WhenKnown::Beside => None,
        });
        let reload = (!self.reload.is_empty()).then(|| Command::Reload { slots: self.reload.clone(), parallel });
        // Stopping what does not run changes nothing, and reports the slot.
        let listed = (!self.listed.is_empty()).then(|| Command::Stop { slots: self.listed.clone() });
        [start, restart, reload, listed].into_iter().flatten().collect()
    }
}

fn check(engine: &Engine, apps: &[AppSpec], when_known: WhenKnown) -> Result<(), ErrorReply> {
    if apps.is_empty() {
        return Err(ErrorReply::new(ErrorCode::BadRequest, "there is no app to start"));
    }
    let mut seen = BTreeSet::new();
    let mut next = engine.core.next_slot().0;
    for app in apps {
        if app.instances == 0 || app.instances > MOST_INSTANCES {
            let message = format!("`{}`: {} instances; 1 to {MOST_INSTANCES} are possible", app.name, app.instances);
            return Err(ErrorReply::new(ErrorCode::BadRequest, message));
        }
        sockets::check(app)?;
        if !seen.insert((&app.name, &app.namespace)) {
            let message = format!("two apps are named `{}` in namespace `{}`", app.name, app.namespace);
            return Err(ErrorReply::new(ErrorCode::NameTaken, message));
        }
        let known: Vec<&Slot> = same_name(engine, app).collect();
        if known.is_empty() || when_known == WhenKnown::Beside {
            for id in next..next.saturating_add(app.instances) {
                check_logs(engine, app, id)?;
            }
            next = next.saturating_add(app.instances);
        } else if when_known == WhenKnown::Refuse {
            refuse_if_other_or_running(engine, app, &known)?;
        } else if matches!(when_known, WhenKnown::Reload { no_wait: true, .. }) {
            super::reload::refuse_if_reloading(engine, known.iter().map(|slot| slot.id).collect())?;
        }
    }
    Ok(())
}

fn same_name<'a>(engine: &'a Engine, app: &'a AppSpec) -> impl Iterator<Item = &'a Slot> {
    let same = |slot: &&Slot| slot.name == app.name && slot.namespace == app.namespace && slot.wanted != Wanted::Gone;
    engine.core.slots().filter(same)
}

fn refuse_if_other_or_running(engine: &Engine, app: &AppSpec, known: &[&Slot]) -> Result<(), ErrorReply> {
    for slot in known {
        let name = &app.name;
        let (id, script) = (slot.id, engine.sheets.get(&slot.id).map(|sheet| sheet.spec.launch.script.as_str()));
        if script != Some(&app.launch.script) {
            let message = format!("the name `{name}` belongs to `{}` (id {id})", script.unwrap_or_default());
            let hint = "choose another with --name, or use -f to start one beside it";
            return Err(ErrorReply::new(ErrorCode::NameTaken, message).with_hint(hint));
        }
        if !matches!(slot.phase, Phase::Stopped | Phase::Errored) {
            let message = format!("`{name}` is running already (id {id})");
            let hint = format!("`rewake restart {name}` restarts it; -f starts another one beside it");
            return Err(ErrorReply::new(ErrorCode::AlreadyRunning, message).with_hint(hint));
        }
    }
    Ok(())
}

fn check_logs(engine: &Engine, app: &AppSpec, id: u32) -> Result<(), ErrorReply> {
    let paths = log_paths(engine, app, id);
    for path in [paths.out, paths.error, paths.combined].into_iter().flatten() {
        file::check(&path).map_err(|error| {
            let message = format!("`{}`: cannot write the log `{}`: {error}", app.name, path.display());
            ErrorReply::new(ErrorCode::Storage, message)
                .with_hint("give another file with --output and --error, or --disable-logs")
        })?;
    }
    Ok(())
}

fn log_paths(engine: &Engine, app: &AppSpec, id: u32) -> LogPaths {
    let logs = engine.home.as_ref().map(|home| home.join("logs"));
    paths::of(app, id, logs.as_deref())
}

/// Puts the apps on the list.
fn enlist(engine: &mut Engine, apps: Vec<AppSpec>, when_known: WhenKnown) -> Enlisted {
    let mut plan = Enlisted::default();
    for app in apps {
        let known: Vec<SlotId> = same_name(engine, &app).map(|slot| slot.id).collect();
        if known.is_empty() || when_known == WhenKnown::Beside {
            let added = (0..app.instances).map(|_| add(engine, &app));
            let slots: Vec<SlotId> = added.collect();
            if app.policy.autostart { &mut plan.start } else { &mut plan.listed }.extend(slots);
        } else {
            let is_reload = matches!(when_known, WhenKnown::Reload { .. });
            for id in &known {
                if is_reload {
                    super::reload::try_out(engine, *id, app.clone());
                } else {
                    redefine(engine, *id, app.clone());
                }
            }
            if is_reload { &mut plan.reload } else { &mut plan.restart }.extend(known);
        }
    }
    plan
}

/// One new slot.
pub(crate) fn add(engine: &mut Engine, app: &AppSpec) -> SlotId {
    let id = engine.core.add(new_slot(app));
    let sheet = sheet(engine, id, app.clone(), epoch_ms());
    engine.sheets.insert(id, sheet);
    engine.undescribed.insert(id);
    // Also an app that is not started is on the list.
    engine.save();
    id
}

/// A sheet for a slot with this id.
pub(crate) fn sheet(engine: &Engine, id: SlotId, spec: AppSpec, created_at_ms: u64) -> Sheet {
    let LogPaths { out: out_log, error: error_log, combined: combined_log } = log_paths(engine, &spec, id.0);
    Sheet {
        spec,
        before_reload: None,
        created_at_ms,
        oldest_run: RunId(0),
        started_at_ms: None,
        reason: None,
        refused: None,
        out_log,
        error_log,
        combined_log,
    }
}

/// Gives a slot another description, for its next process on.
pub(crate) fn redefine(engine: &mut Engine, id: SlotId, spec: AppSpec) {
    engine.core.redefine(id, policy(&spec));
    let fresh = sheet(engine, id, spec, epoch_ms());
    if let Some(sheet) = engine.sheets.get_mut(&id) {
        let Sheet { spec, out_log, error_log, combined_log, .. } = fresh;
        *sheet = Sheet { spec, out_log, error_log, combined_log, ..sheet.clone() };
    }
    engine.undescribed.insert(id);
    engine.save();
}
