//! One listening address and who uses it. Never dropped because its last user died: the next one is on its way.

use std::collections::BTreeMap;

use super::{
    address::Listen,
    order::{GroupId, WorkerId},
    primary::Bound,
};

/// All sockets of one address.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) id: GroupId,
    pub(super) key: String,
    pub(super) listen: Listen,
    /// JSON text of the first worker's `data`, for all (a TLS session of one worker then goes on in another).
    pub(super) data: String,
    pub(super) state: State,
    /// Workers that got an answer and did not close since.
    pub(super) holders: BTreeMap<WorkerId, Hold>,
}

/// How far its sockets are.
#[derive(Debug)]
pub(super) enum State {
    /// Who asked, and the number of the question.
    Binding(Vec<(WorkerId, i64)>),
    /// JSON text of Node's `sockname`, and the real port; neither for a path.
    Bound { sockname: Option<String>, port: Option<u16> },
}

/// One worker's use of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    /// Number of its question: the same question again gets the same answer.
    pub(super) seq: i64,
    pub(super) listening: bool,
}

impl State {
    pub(super) fn bound(bound: &Bound) -> Self {
        let sockname = bound.address.map(|(address, port)| {
            let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
            format!("{{\"address\":\"{address}\",\"family\":\"{family}\",\"port\":{port}}}")
        });
        Self::Bound { sockname, port: bound.address.map(|(_, port)| port) }
    }
}

impl Group {
    pub(super) fn is_bound(&self) -> bool {
        match self.state {
            State::Binding(_) => false,
            State::Bound { .. } => true,
        }
    }

    /// The real port, once there is one.
    pub(super) fn port(&self) -> Option<u16> {
        match &self.state {
            State::Binding(_) => None,
            State::Bound { port, .. } => *port,
        }
    }

    /// Whether this address was asked for with port 0, and the system chose the port that is wanted now. `wanted` as
    /// [`Listen::with_port_zero`] gives it.
    pub(super) fn chose(&self, wanted: Option<&(Listen, u16)>) -> bool {
        wanted.is_some_and(|(listen, port)| self.port() == Some(*port) && *listen == self.listen)
    }

    pub(super) fn is_held(&self) -> bool {
        let asked = match &self.state {
            State::Binding(waiting) => !waiting.is_empty(),
            State::Bound { .. } => false,
        };
        asked || !self.holders.is_empty()
    }
}
