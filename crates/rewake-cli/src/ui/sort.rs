//! The order of the list: by name, then id, or as `--sort` says.

use std::cmp::Ordering;

use rewake_wire::{ErrorCode, ErrorReply, SlotInfo};

/// A column and a direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sort {
    field: Field,
    descending: bool,
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Id,
    Name,
    Namespace,
    Pid,
    Uptime,
    Restarts,
    Status,
    Cpu,
    Memory,
}

/// Names of the columns, with those PM2 takes.
const FIELDS: [(&str, Field); 13] = [
    ("id", Field::Id),
    ("pm_id", Field::Id),
    ("name", Field::Name),
    ("namespace", Field::Namespace),
    ("pid", Field::Pid),
    ("uptime", Field::Uptime),
    ("pm_uptime", Field::Uptime),
    ("restart", Field::Restarts),
    ("restarts", Field::Restarts),
    ("status", Field::Status),
    ("cpu", Field::Cpu),
    ("memory", Field::Memory),
    ("mem", Field::Memory),
];

impl Sort {
    /// Reads `field`, `field:asc` or `field:desc`.
    pub(super) fn parse(text: &str) -> Result<Self, ErrorReply> {
        let (name, direction) = text.split_once(':').unwrap_or((text, "asc"));
        let field = FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
        match (field, direction) {
            (Some(field), "asc") => Ok(Self { field, descending: false }),
            (Some(field), "desc") => Ok(Self { field, descending: true }),
            (Some(_), _) => Err(wrong(text).with_hint("the direction is `asc` or `desc`")),
            (None, _) => {
                Err(wrong(text).with_hint("fields: id, name, namespace, pid, uptime, restarts, status, cpu, memory"))
            }
        }
    }
}

/// Sorts in place. Without a wish by name and id.
pub(super) fn sort(slots: &mut [SlotInfo], by: Option<Sort>) {
    slots.sort_by(|a, b| {
        let wished = by.map_or(Ordering::Equal, |sort| {
            let order = compare(sort.field, a, b);
            if sort.descending { order.reverse() } else { order }
        });
        wished.then_with(|| a.name.cmp(&b.name)).then_with(|| a.id.cmp(&b.id))
    });
}

fn compare(field: Field, a: &SlotInfo, b: &SlotInfo) -> Ordering {
    match field {
        Field::Id => a.id.cmp(&b.id),
        Field::Name => a.name.cmp(&b.name),
        Field::Namespace => a.namespace.cmp(&b.namespace),
        Field::Pid => a.pid.cmp(&b.pid),
        // Who started last has been up for the shortest.
        Field::Uptime => running_since(b).cmp(&running_since(a)),
        Field::Restarts => a.restarts.cmp(&b.restarts),
        Field::Status => a.status.as_str().cmp(b.status.as_str()),
        Field::Cpu => a.cpu_percent.unwrap_or(0.0).total_cmp(&b.cpu_percent.unwrap_or(0.0)),
        Field::Memory => a.memory_bytes.cmp(&b.memory_bytes),
    }
}

/// Start of what runs; what does not run counts as started only now.
fn running_since(slot: &SlotInfo) -> u64 {
    slot.pid.and(slot.started_at_ms).unwrap_or(u64::MAX)
}

fn wrong(text: &str) -> ErrorReply {
    ErrorReply::new(ErrorCode::BadRequest, format!("wrong value for `--sort`, `{text}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::list::tests::slot;

    #[test]
    fn by_name_then_id_or_as_wished() {
        let mut slots = vec![slot(3, "b"), slot(2, "a"), slot(10, "b"), slot(1, "c")];
        slots[0].memory_bytes = Some(5);
        slots[1].memory_bytes = Some(9);
        let ids = |slots: &[SlotInfo]| slots.iter().map(|slot| slot.id).collect::<Vec<_>>();
        sort(&mut slots, None);
        assert_eq!(ids(&slots), [2, 3, 10, 1]);
        sort(&mut slots, Some(Sort::parse("memory:desc").unwrap()));
        assert_eq!(ids(&slots)[0], 10);
        sort(&mut slots, Some(Sort::parse("id").unwrap()));
        assert_eq!(ids(&slots), [1, 2, 3, 10]);
    }

    #[test]
    fn an_unknown_column_or_direction_is_refused() {
        assert!(Sort::parse("colour").unwrap_err().hint.unwrap().contains("namespace"));
        assert!(Sort::parse("name:up").unwrap_err().hint.unwrap().contains("`desc`"));
    }
}
