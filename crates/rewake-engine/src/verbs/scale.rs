//! `scale`: more or fewer slots of one app. New ones are like its others; the newest go first.

use rewake_core::{Command, SlotId};
use rewake_wire::{ErrorCode, ErrorReply, ScaleTo};

use super::start::{MOST_INSTANCES, add, redefine};
use crate::engine::Engine;
use crate::pending::{Answer, Then, tell};

pub(crate) fn scale(engine: &mut Engine, target: &str, to: ScaleTo, answer: Answer) {
    match plan(engine, target, to) {
        Ok((slots, wanted)) if slots.len() < wanted => grow(engine, &slots, wanted, answer),
        Ok((slots, wanted)) => {
            let gone = slots[wanted..].to_vec();
            note_instances(engine, &slots[..wanted], wanted);
            engine.open(vec![Command::Retire { slots: gone.clone() }], &gone, Then::Answer, answer);
        }
        Err(error) => tell(answer, Err(error)),
    }
}

/// The app's slots by instance, and how many there are to be.
fn plan(engine: &Engine, target: &str, to: ScaleTo) -> Result<(Vec<SlotId>, usize), ErrorReply> {
    let bad = |message: String| ErrorReply::new(ErrorCode::BadRequest, message);
    let found = engine.find(target)?;
    let key = |id: &SlotId| engine.core.slot(*id).map(|slot| (slot.name.clone(), slot.namespace.clone()));
    let app = found.first().and_then(key);
    if found.iter().any(|id| key(id) != app) {
        return Err(bad(format!("`{target}` means several apps; one is scaled at a time")));
    }
    let mut slots: Vec<&rewake_core::Slot> = engine.core.slots().filter(|slot| key(&slot.id) == app).collect();
    slots.sort_by_key(|slot| slot.instance);
    let slots: Vec<SlotId> = slots.into_iter().map(|slot| slot.id).collect();
    let now = i64::try_from(slots.len()).unwrap_or(i64::MAX);
    let wanted = match to {
        ScaleTo::Exactly(number) => i64::from(number),
        ScaleTo::By(number) => now.saturating_add(i64::from(number)),
    };
    if !(1..=i64::from(MOST_INSTANCES)).contains(&wanted) {
        let hint = format!("1 to {MOST_INSTANCES} are possible; `rewake delete {target}` removes it");
        return Err(bad(format!("`{target}` cannot have {wanted} instances")).with_hint(hint));
    }
    if wanted == now {
        return Err(bad(format!("`{target}` has {wanted} instances already")));
    }
    Ok((slots, usize::try_from(wanted).unwrap_or(1)))
}

fn grow(engine: &mut Engine, slots: &[SlotId], wanted: usize, answer: Answer) {
    let Some(spec) = slots.first().and_then(|id| engine.sheets.get(id)).map(|sheet| sheet.spec.clone()) else {
        return tell(answer, Err(ErrorReply::new(ErrorCode::Internal, "the app has no description")));
    };
    let new: Vec<SlotId> = (slots.len()..wanted).map(|_| add(engine, &spec)).collect();
    note_instances(engine, &[slots, &new].concat(), wanted);
    engine.open(vec![Command::Start { slots: new.clone(), settle: 0 }], &new, Then::Answer, answer);
}

/// Each slot knows of how many it is one.
fn note_instances(engine: &mut Engine, slots: &[SlotId], wanted: usize) {
    for id in slots {
        let Some(sheet) = engine.sheets.get(id) else { continue };
        let mut spec = sheet.spec.clone();
        spec.instances = u32::try_from(wanted).unwrap_or(u32::MAX);
        redefine(engine, *id, spec);
    }
}
