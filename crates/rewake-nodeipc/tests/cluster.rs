//! The cluster primary without sockets: what it orders for what workers say.

use std::net::{IpAddr, Ipv6Addr};

use rewake_nodeipc::{
    Mode,
    cluster::{
        Bound, ConnectionId, GroupId, Handle, Listen, MAX_GROUPS, Order, Primary, Sharing, SlotId, Told, WorkerId,
    },
    encode_own,
};
use serde_json::{Value, json};

mod cluster {
    mod serving;
    mod turns;
}

const ONE: WorkerId = WorkerId(1);
const TWO: WorkerId = WorkerId(2);

struct Test {
    primary: Primary,
    out: Vec<Order>,
}

impl Test {
    /// Two workers, in slots 0 and 1.
    fn new(sharing: Sharing) -> Self {
        let mut primary = Primary::new(sharing);
        primary.joined(ONE, SlotId(0), 0);
        primary.joined(TWO, SlotId(1), 0);
        Self { primary, out: Vec::new() }
    }

    fn says(&mut self, worker: WorkerId, message: &Value) -> Vec<Order> {
        let cmd = message["cmd"].as_str().unwrap_or("NODE_CLUSTER").to_owned();
        self.primary.internal(worker, &cmd, &message.to_string(), &mut self.out);
        self.orders()
    }

    fn orders(&mut self) -> Vec<Order> {
        for order in &self.out {
            if let Order::Send { json, .. } = order {
                for mode in [Mode::Json, Mode::Advanced] {
                    encode_own(mode, json).unwrap();
                }
            }
        }
        std::mem::take(&mut self.out)
    }

    fn bound(&mut self, group: GroupId, port: u16) -> Vec<Order> {
        let address = Some((IpAddr::V6(Ipv6Addr::UNSPECIFIED), port));
        self.primary.bound(group, Ok(Bound { address }), &mut self.out);
        self.orders()
    }

    /// A worker listens on port 3000, all the way.
    fn listens(&mut self, worker: WorkerId) -> GroupId {
        let mut group = None;
        for order in self.says(worker, &query(1, 3000, 0)) {
            if let Order::Bind { group: new, .. } = order {
                group = Some(new);
                self.bound(new, 3000);
            }
        }
        let told = self.says(worker, &listening(3000, 0));
        let Some(Order::Tell(Told::Listening { group: found, .. })) = told.first() else { panic!("{told:?}") };
        assert_eq!(group.unwrap_or(*found), *found);
        *found
    }

    fn offer(&mut self, group: GroupId, connection: u64) -> Vec<(WorkerId, i64)> {
        self.primary.offer(group, ConnectionId(connection), &mut self.out);
        offers(&self.orders())
    }

    fn replies(&mut self, worker: WorkerId, seq: i64, accepted: bool) -> Vec<Order> {
        self.says(worker, &json!({"cmd": "NODE_HANDLE_ACK"}));
        self.says(worker, &json!({"cmd": "NODE_CLUSTER", "seq": 99, "ack": seq, "accepted": accepted}))
    }
}

fn query(seq: i64, port: u16, index: i64) -> Value {
    json!({"cmd": "NODE_CLUSTER", "act": "queryServer", "seq": seq, "address": null, "port": port, "addressType": 4, "index": index, "data": null})
}

fn listening(port: u16, index: i64) -> Value {
    json!({"cmd": "NODE_CLUSTER", "act": "listening", "seq": 7, "address": null, "port": port, "addressType": 4, "index": index, "data": null})
}

fn group_of(orders: &[Order]) -> GroupId {
    match orders {
        [Order::Bind { group, .. }] => *group,
        other => panic!("{other:?}"),
    }
}

/// The one message that is sent: to whom, what, and what rides on it.
fn sent(orders: &[Order]) -> (WorkerId, Value, Option<Handle>) {
    match orders {
        [Order::Send { to, json, handle }] => {
            let mut message: Value = serde_json::from_str(json).unwrap();
            if handle.is_some() {
                assert_eq!(message["cmd"], "NODE_HANDLE");
                message = message["msg"].take();
            }
            assert_eq!(message["cmd"], "NODE_CLUSTER");
            (*to, message, *handle)
        }
        other => panic!("{other:?}"),
    }
}

/// Which connections go to whom, under which number.
fn offers(orders: &[Order]) -> Vec<(WorkerId, i64)> {
    let one = |order: &Order| match order {
        Order::Send { handle: Some(Handle::Connection(_)), to, .. } => {
            let (_, message, _) = sent(std::slice::from_ref(order));
            assert_eq!(message["act"], "newconn");
            Some((*to, message["seq"].as_i64().unwrap()))
        }
        Order::Bind { .. } | Order::Send { .. } | Order::Close(_) | Order::Drop(_) | Order::Tell(_) => None,
    };
    orders.iter().filter_map(one).collect()
}

#[test]
fn the_first_question_binds_and_all_get_the_socket_of_their_slot() {
    let mut test = Test::new(Sharing::Sockets);
    let orders = test.says(ONE, &query(3, 3000, 0));
    let group = group_of(&orders);
    let listen = Listen::Tcp { host: None, port: 3000, ipv6_only: false };
    let [Order::Bind { key, .. }] = &orders[..] else { panic!("{orders:?}") };
    assert_eq!(orders, [Order::Bind { group, key: key.clone(), listen, backlog: 511 }]);
    // The second asks while the first waits, with another index: a fixed port is one address all the same.
    assert_eq!(test.says(TWO, &query(5, 3000, 9)), []);
    let orders = test.bound(group, 3000);
    for (order, worker, slot, ack) in [(&orders[0], ONE, 0, 3), (&orders[1], TWO, 1, 5)] {
        let (to, message, handle) = sent(std::slice::from_ref(order));
        assert_eq!(
            (to, &message["ack"], &message["errno"], &message["data"]),
            (worker, &json!(ack), &json!(0), &Value::Null)
        );
        assert_eq!(handle, Some(Handle::Listener { group, slot: SlotId(slot) }));
    }
    assert_eq!(
        test.says(TWO, &listening(3000, 9)),
        [Order::Tell(Told::Listening { worker: TWO, group, port: Some(3000) })]
    );
}

#[test]
fn port_zero_is_one_address_per_index_and_keeps_its_port() {
    let mut test = Test::new(Sharing::RoundRobin);
    let first = group_of(&test.says(ONE, &query(1, 0, 0)));
    let second = group_of(&test.says(ONE, &query(2, 0, 1)));
    assert_ne!(first, second);
    let (_, message, _) = sent(&test.bound(first, 40_001));
    assert_eq!(message["sockname"], json!({"address": "::", "family": "IPv6", "port": 40_001}));
    test.bound(second, 40_002);
    let told = test.says(ONE, &listening(40_002, 1));
    assert_eq!(told, [Order::Tell(Told::Listening { worker: ONE, group: second, port: Some(40_002) })]);
    let told = test.says(ONE, &listening(40_001, 0));
    assert_eq!(told, [Order::Tell(Told::Listening { worker: ONE, group: first, port: Some(40_001) })]);
    let (to, message, handle) = sent(&test.says(TWO, &query(1, 0, 0)));
    assert_eq!((to, &message["sockname"]["port"], handle), (TWO, &json!(40_001), None));
}

#[test]
fn a_port_that_the_system_chose_can_be_asked_for_by_its_number() {
    let mut test = Test::new(Sharing::Sockets);
    let group = group_of(&test.says(ONE, &query(1, 0, 0)));
    let (_, message, _) = sent(&test.bound(group, 40_001));
    let key = message["key"].clone();
    let (_, message, _) = sent(&test.says(ONE, &query(2, 40_001, 1)));
    assert_eq!(message["errno"], -98);
    test.says(ONE, &json!({"act": "close", "seq": 3, "key": key}));
    let (_, message, handle) = sent(&test.says(ONE, &query(4, 40_001, 2)));
    assert_eq!((&message["errno"], &message["key"]), (&json!(0), &key));
    assert_eq!(handle, Some(Handle::Listener { group, slot: SlotId(0) }));
    let told = test.says(ONE, &listening(40_001, 2));
    assert_eq!(told, [Order::Tell(Told::Listening { worker: ONE, group, port: Some(40_001) })]);
}

#[test]
fn other_addresses_are_read_as_node_sends_them() {
    let mut test = Test::new(Sharing::RoundRobin);
    let ask = |test: &mut Test, fields: Value| {
        let mut message = json!({"cmd": "NODE_CLUSTER", "act": "queryServer", "seq": 1, "index": 0, "data": null});
        for (name, value) in fields.as_object().unwrap() {
            message[name] = value.clone();
        }
        test.says(ONE, &message)
    };
    let bind = |orders: &[Order]| match orders {
        [Order::Bind { listen, backlog, .. }] => (listen.clone(), *backlog),
        other => panic!("{other:?}"),
    };
    let unix = ask(
        &mut test,
        json!({"address": "/tmp/a\nb", "port": -1, "addressType": -1, "readableAll": true, "backlog": 7}),
    );
    assert_eq!(bind(&unix), (Listen::Unix { path: "/tmp/a\nb".into(), readable_all: true, writable_all: false }, 7));
    let group = group_of(&unix);
    test.primary.bound(group, Ok(Bound { address: None }), &mut test.out);
    let (_, message, handle) = sent(&test.orders());
    assert_eq!((message.get("sockname"), handle), (None, None));
    let told = test.says(
        ONE,
        &json!({"act": "listening", "seq": 2, "address": "/tmp/a\nb", "port": -1, "addressType": -1, "index": 0}),
    );
    assert_eq!(told, [Order::Tell(Told::Listening { worker: ONE, group, port: None })]);

    let six = ask(&mut test, json!({"address": "::1", "port": 80, "addressType": 6, "flags": 1, "backlog": false}));
    assert_eq!(bind(&six), (Listen::Tcp { host: Some("::1".into()), port: 80, ipv6_only: true }, 511));

    // UDP is shared in round robin too.
    let udp = ask(&mut test, json!({"address": "0.0.0.0", "port": 53, "addressType": "udp4", "fd": -1, "flags": 4}));
    let listen =
        Listen::Udp { host: Some("0.0.0.0".into()), port: 53, ipv6: false, ipv6_only: false, reuse_address: true };
    assert_eq!(bind(&udp).0, listen);
    let orders = test.bound(group_of(&udp), 53);
    assert!(
        matches!(&orders[..], [Order::Send { json, handle: Some(_), .. }] if json.contains("\"dgram.Native\"")),
        "{orders:?}"
    );

    let (_, message, _) = sent(&ask(&mut test, json!({"address": null, "port": null, "addressType": null, "fd": 5})));
    assert_eq!(message["errno"], -22);
    let (_, message, _) = sent(&ask(&mut test, json!({"address": null, "port": 70_000, "addressType": 4})));
    assert_eq!(message["errno"], -22);
}

#[test]
fn a_failed_bind_is_told_with_data_and_tried_again() {
    let mut test = Test::new(Sharing::Sockets);
    let mut tls = query(4, 443, 0);
    tls["data"] = json!({"ticketKeys": "00ff"});
    let group = group_of(&test.says(ONE, &tls));
    test.primary.bound(group, Err(-98), &mut test.out);
    let (to, message, handle) = sent(&test.orders());
    assert_eq!((to, handle), (ONE, None));
    assert_eq!(
        (&message["ack"], &message["errno"], &message["data"]),
        (&json!(4), &json!(-98), &json!({"ticketKeys": "00ff"}))
    );
    let again = group_of(&test.says(ONE, &tls));
    assert_ne!(group, again);
    // What comes late about the old one changes nothing.
    assert_eq!(test.bound(group, 443), []);
    // Later workers get the first one's data.
    test.bound(again, 443);
    let (_, message, _) = sent(&test.says(TWO, &query(1, 443, 0)));
    assert_eq!(message["data"], json!({"ticketKeys": "00ff"}));
}

#[test]
fn the_same_address_twice_in_one_worker_is_in_use_until_closed() {
    let mut test = Test::new(Sharing::Sockets);
    let group = test.listens(ONE);
    let (_, message, _) = sent(&test.says(ONE, &query(2, 3000, 1)));
    assert_eq!((&message["errno"], &message["ack"]), (&json!(-98), &json!(2)));
    // The same question again, after a restart of ours, has the same answer.
    let (_, message, handle) = sent(&test.says(ONE, &query(1, 3000, 0)));
    assert_eq!((&message["errno"], handle.is_some()), (&json!(0), true));
    let key = message["key"].clone();
    let close = json!({"cmd": "NODE_CLUSTER", "act": "close", "seq": 9, "key": key});
    assert_eq!(test.says(ONE, &close), [Order::Tell(Told::Closed { worker: ONE, group })]);
    assert_eq!(test.says(ONE, &close), []);
    let (_, message, _) = sent(&test.says(ONE, &query(3, 3000, 2)));
    assert_eq!(message["errno"], 0);
}

#[test]
fn two_questions_of_one_worker_for_one_address_before_it_is_bound_get_a_yes_and_a_no() {
    let mut test = Test::new(Sharing::Sockets);
    let group = group_of(&test.says(ONE, &query(1, 3000, 0)));
    test.says(ONE, &query(1, 3000, 0));
    test.says(ONE, &query(2, 3000, 1));
    let orders = test.bound(group, 3000);
    let errnos: Vec<_> = orders.iter().map(|order| sent(std::slice::from_ref(order)).1["errno"].clone()).collect();
    assert_eq!(errnos, [json!(0), json!(-98)]);
}

#[test]
fn the_address_stays_bound_while_nobody_holds_it() {
    let mut test = Test::new(Sharing::Sockets);
    let group = test.listens(ONE);
    test.primary.left(ONE, |_| true, &mut test.out);
    assert_eq!(test.orders(), []);
    let (to, message, _) = sent(&test.says(TWO, &query(1, 3000, 0)));
    assert_eq!((to, &message["errno"]), (TWO, &json!(0)));
    test.primary.drop_unheld(&mut test.out);
    assert_eq!(test.orders(), []);
    test.primary.left(TWO, |_| true, &mut test.out);
    test.primary.drop_unheld(&mut test.out);
    assert_eq!(test.orders(), [Order::Drop(group)]);
}

#[test]
fn a_worker_that_was_told_to_leave_gets_no_sockets() {
    let mut test = Test::new(Sharing::Sockets);
    let group = group_of(&test.says(ONE, &query(1, 3000, 0)));
    test.primary.disconnect(ONE, Some("SIGINT"), &mut test.out);
    test.primary.disconnect(ONE, Some("SIGINT"), &mut test.out);
    let (to, message, _) = sent(&test.orders());
    assert_eq!((to, &message["act"], &message["signal"]), (ONE, &json!("disconnect"), &json!("SIGINT")));
    assert_eq!(test.bound(group, 3000), []);
    assert_eq!(test.says(ONE, &query(2, 4000, 0)), []);
    let orders = test.says(ONE, &json!({"cmd": "NODE_CLUSTER", "act": "exitedAfterDisconnect", "seq": 8}));
    assert_eq!(orders[1], Order::Tell(Told::ExitedAfterDisconnect(ONE)));
    let (_, message, _) = sent(&orders[..1]);
    assert_eq!(message["ack"], 8);
}

#[test]
fn each_side_counts_its_own_messages() {
    let mut test = Test::new(Sharing::Sockets);
    let exchange = json!({"cmd": "NODE_CLUSTER", "act": "exitedAfterDisconnect", "seq": 8});
    for seq in 0..3 {
        let orders = test.says(ONE, &exchange);
        assert_eq!(sent(&orders[..1]).1["seq"], seq);
    }
    test.primary.joined(WorkerId(3), SlotId(0), 1000);
    let orders = test.says(WorkerId(3), &exchange);
    assert_eq!(sent(&orders[..1]).1["seq"], 1000);
}

#[test]
fn connections_go_round_and_stop_at_the_window() {
    let mut test = Test::new(Sharing::RoundRobin);
    let group = test.listens(ONE);
    assert_eq!(test.offer(group, 0), [(ONE, 1)]);
    test.replies(ONE, 1, true);
    test.listens(TWO);
    let mut got: Vec<WorkerId> =
        (1..=16).flat_map(|number| test.offer(group, number)).map(|(worker, _)| worker).collect();
    assert_eq!(got[..4], [TWO, ONE, TWO, ONE]);
    got.sort();
    assert_eq!(got, [[ONE; 8], [TWO; 8]].concat());
    assert!(!test.primary.has_taker(group));
    assert_eq!(test.offer(group, 17), []);
    // A place becomes free: the connection that waited gets it.
    let orders = test.replies(TWO, 5, true);
    assert!(matches!(orders[0], Order::Close(_)));
    assert_eq!(offers(&orders).iter().map(|(worker, _)| *worker).collect::<Vec<_>>(), [TWO]);
    assert!(!test.primary.has_taker(group));
    test.replies(ONE, 4, true);
    assert!(test.primary.has_taker(group));
}

#[test]
fn a_refused_connection_goes_to_another_and_does_not_spin() {
    let mut test = Test::new(Sharing::RoundRobin);
    let group = test.listens(ONE);
    test.listens(TWO);
    let (first, seq) = test.offer(group, 1)[0];
    let second = if first == ONE { TWO } else { ONE };
    let orders = test.replies(first, seq, false);
    assert_eq!(offers(&orders)[0].0, second);
    // All have refused: it waits until something changes.
    assert_eq!(test.replies(second, offers(&orders)[0].1, false), []);
    assert!(!test.primary.has_taker(group));
    test.primary.left(second, |_| true, &mut test.out);
    assert_eq!(offers(&test.orders())[0].0, first);
}

#[test]
fn what_a_dead_worker_did_not_accept_goes_to_others() {
    let mut test = Test::new(Sharing::RoundRobin);
    let group = test.listens(ONE);
    let offered: Vec<(WorkerId, i64)> = (0..4).flat_map(|number| test.offer(group, number)).collect();
    assert_eq!(test.replies(ONE, offered[0].1, true), [Order::Close(ConnectionId(0))]);
    test.listens(TWO);
    let is_untouched = |id| id != ConnectionId(2);
    test.primary.left(ONE, is_untouched, &mut test.out);
    let mut orders = test.orders();
    assert_eq!(orders.remove(0), Order::Close(ConnectionId(2)), "of which the dead one may have read");
    let handles: Vec<_> = orders.iter().map(|order| sent(std::slice::from_ref(order)).2).collect();
    assert_eq!(handles, [1, 3].map(|number| Some(Handle::Connection(ConnectionId(number)))));
    // A late answer of the dead one means nothing.
    assert_eq!(test.replies(ONE, offered[1].1, true), []);
}

#[test]
fn a_descriptor_that_gets_lost_is_sent_again_and_then_given_up() {
    let nack = json!({"cmd": "NODE_HANDLE_NACK"});
    let mut test = Test::new(Sharing::Sockets);
    let group = group_of(&test.says(ONE, &query(6, 3000, 0)));
    let first = test.bound(group, 3000);
    for _ in 0..3 {
        assert_eq!(test.says(ONE, &nack), first);
    }
    let (_, message, handle) = sent(&test.says(ONE, &nack));
    assert_eq!((&message["ack"], &message["errno"], handle), (&json!(6), &json!(-24), None));
    assert_eq!(test.says(ONE, &nack), []);

    let mut test = Test::new(Sharing::RoundRobin);
    let group = test.listens(ONE);
    let offered = test.offer(group, 1);
    test.listens(TWO);
    for _ in 0..3 {
        assert_eq!(offers(&test.says(ONE, &nack)), offered);
    }
    assert_eq!(offers(&test.says(ONE, &nack))[0].0, TWO);
}

#[test]
fn when_the_app_is_stopped_everything_is_let_go() {
    let mut test = Test::new(Sharing::RoundRobin);
    let group = test.listens(ONE);
    test.primary.left(ONE, |_| true, &mut test.out);
    assert_eq!(test.offer(group, 5), []);
    test.primary.drop_all(&mut test.out);
    assert_eq!(test.orders(), [Order::Close(ConnectionId(5)), Order::Drop(group)]);
    test.primary.offer(group, ConnectionId(6), &mut test.out);
    assert_eq!(test.orders(), [Order::Close(ConnectionId(6))]);
}

#[test]
fn ten_thousand_servers_are_too_many() {
    let mut test = Test::new(Sharing::Sockets);
    let mut binds = 0;
    for number in 0..10_000 {
        match &test.says(ONE, &query(number, 0, number))[..] {
            [Order::Bind { .. }] => binds += 1,
            orders => assert_eq!(sent(orders).1["errno"], -24),
        }
    }
    assert_eq!(binds, MAX_GROUPS);
}

#[test]
fn messages_that_mean_nothing_are_ignored() {
    let mut test = Test::new(Sharing::Sockets);
    for message in [
        json!({"cmd": "NODE_CLUSTER"}),
        json!({"cmd": "NODE_CLUSTER", "act": "of the future", "seq": 1}),
        json!({"cmd": "NODE_CLUSTER", "act": 5}),
        json!({"cmd": "NODE_CLUSTER", "act": "queryServer"}),
        json!({"cmd": "NODE_CLUSTER", "act": "close", "seq": 1}),
        json!({"cmd": "NODE_CLUSTER", "act": "close", "key": "unknown"}),
        json!({"cmd": "NODE_CLUSTER", "act": "exitedAfterDisconnect"}),
        json!({"cmd": "NODE_CLUSTER", "ack": 77, "accepted": true}),
        json!({"cmd": "NODE_HANDLE_ACK"}),
        json!({"cmd": "NODE_HANDLE_NACK"}),
        json!({"cmd": "NODE_DEBUG_ENABLED"}),
        listening(80, 0),
    ] {
        assert_eq!(test.says(ONE, &message), [], "{message}");
        assert_eq!(test.says(WorkerId(9), &message), [], "{message}");
    }
    assert_eq!(test.says(ONE, &json!({"act": "online", "seq": 0})), [Order::Tell(Told::Online(ONE))]);
}
