//! The channel against bytes of every kind, cut at every place.

use proptest::prelude::*;
use rewake_nodeipc::{Channel, Happening, MAX_WAITING_DESCRIPTORS, Mode, encode};
use serde_json::value::RawValue;

const MODES: [Mode; 2] = [Mode::Json, Mode::Advanced];
const ACK: &str = r#"{"cmd":"NODE_HANDLE_ACK"}"#;
const NACK: &str = r#"{"cmd":"NODE_HANDLE_NACK"}"#;

/// A frame of anything, also of what `encode` refuses. In advanced mode the reserved `cmd` is patched in.
fn frame(mode: Mode, json: &str) -> Vec<u8> {
    let disguised = json.replace("\"NODE_", "\"Node-");
    let bytes = encode(mode, &disguised).unwrap();
    let mut patched = bytes;
    for at in 0..patched.len().saturating_sub(4) {
        if &patched[at..at + 5] == b"Node-" {
            patched[at..at + 5].copy_from_slice(b"NODE_");
        }
    }
    patched
}

fn receive(channel: &mut Channel, bytes: &[u8], descriptors: usize) -> Vec<Happening> {
    let mut out = Vec::new();
    channel.receive(bytes, descriptors, &mut out);
    out
}

/// Happenings in a short form.
fn told(mode: Mode, happenings: &[Happening]) -> Vec<String> {
    happenings
        .iter()
        .map(|happening| match happening {
            Happening::Message(text) => format!("message {text}"),
            Happening::Ready => "ready".into(),
            Happening::Answer(bytes) if *bytes == frame(mode, ACK) => "ack".into(),
            Happening::Answer(bytes) if *bytes == frame(mode, NACK) => "nack".into(),
            Happening::Answer(bytes) => format!("strange answer {}", bytes.escape_ascii()),
            Happening::TakeDescriptor { kept } => format!("take kept={kept}"),
            Happening::Internal { cmd, text } => format!("internal {cmd} {text}"),
            Happening::Garbage { bytes, sample } => format!("garbage {bytes} {sample}"),
            Happening::TooLong => "too long".into(),
        })
        .collect()
}

fn both(json: &str, descriptors: usize, expected: &[&str]) {
    for mode in MODES {
        let happenings = receive(&mut Channel::new(mode), &frame(mode, json), descriptors);
        assert_eq!(told(mode, &happenings), expected, "{mode:?}");
    }
}

#[test]
fn messages_are_text_byte_for_byte() {
    let mut channel = Channel::new(Mode::Json);
    for text in [
        r#"{"a": -0, "b":1e300,"c":"\ud800","cmd":"NODE_"}"#,
        "1152921504606846976",
        "true",
        "\"\\u00e9\"",
        r#"{"cmd":5}"#,
        r#"{"cmd":null}"#,
        r#"{"x":{"cmd":"NODE_HANDLE"}}"#,
        r#"[{"cmd":"NODE_HANDLE"}]"#,
        r#"{"cmd":"node_handle"}"#,
    ] {
        let happenings = receive(&mut channel, format!("{text}\n").as_bytes(), 0);
        assert_eq!(told(Mode::Json, &happenings), [format!("message {text}")]);
    }
}

#[test]
fn white_space_around_a_message_is_not_part_of_it() {
    let happenings = receive(&mut Channel::new(Mode::Json), b" \t{ } \r\n\t[1]\n1 \n", 0);
    assert_eq!(told(Mode::Json, &happenings), ["message { }", "message [1]", "message 1"]);
}

#[test]
fn ready_is_a_message_and_more() {
    both("\"ready\"", 0, &["message \"ready\"", "ready"]);
    both("[\"ready\"]", 0, &["message [\"ready\"]"]);
}

#[test]
fn messages_of_nodes_own_are_kept_apart() {
    both(r#"{"cmd":"NODE_FOO","a":1}"#, 0, &[r#"internal NODE_FOO {"cmd":"NODE_FOO","a":1}"#]);
    both(r#"{"cmd":"NODE_"}"#, 0, &[r#"message {"cmd":"NODE_"}"#]);
    let escaped = receive(&mut Channel::new(Mode::Json), b"{\"\\u0063md\":\"\\u004eODE_X\"}\n", 0);
    assert!(matches!(&escaped[..], [Happening::Internal { cmd, .. }] if cmd == "NODE_X"), "{escaped:?}");
    let last_wins = receive(&mut Channel::new(Mode::Json), b"{\"cmd\":\"NODE_FOO\",\"cmd\":\"mine\"}\n", 0);
    assert!(matches!(&last_wins[..], [Happening::Message(_)]), "{last_wins:?}");
}

#[test]
fn every_handle_is_answered_once_and_its_message_delivered() {
    for kind in ["net.Socket", "net.Server", "dgram.Socket", "net.Native", "net.BoundSocket", "of the future"] {
        let json = format!(r#"{{"cmd":"NODE_HANDLE","type":"{kind}","msg":{{"a":[1]}},"key":"k"}}"#);
        both(&json, 1, &["take kept=false", "ack", r#"message {"a":[1]}"#]);
    }
    both(
        r#"{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"ready"}"#,
        1,
        &["take kept=false", "ack", "message \"ready\"", "ready"],
    );
    both(r#"{"cmd":"NODE_HANDLE"}"#, 1, &["take kept=false", "ack"]);
    let inner = r#"{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_CLUSTER","act":"x"}}"#;
    both(inner, 1, &["take kept=false", "ack", r#"internal NODE_CLUSTER {"cmd":"NODE_CLUSTER","act":"x"}"#]);
}

#[test]
fn a_handle_without_descriptor_is_refused_and_its_message_delivered_once() {
    for kind in ["net.Socket", "net.Server", "dgram.Socket"] {
        both(&format!(r#"{{"cmd":"NODE_HANDLE","type":"{kind}","msg":1}}"#), 0, &["nack", "message 1"]);
    }
    // So does Node send a refused socket again. Its message is known; a second answer would kill the app.
    let again = r#"{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_HANDLE","type":"net.Socket","msg":1}}"#;
    both(again, 0, &["nack"]);
    both(again, 2, &["take kept=false", "ack"]);
}

#[test]
fn a_descriptor_goes_to_the_handle_message_that_is_complete_next() {
    for mode in MODES {
        let mut channel = Channel::new(mode);
        let handle = frame(mode, r#"{"cmd":"NODE_HANDLE","type":"net.Server","msg":1}"#);
        let (first, rest) = handle.split_at(3);
        let before = [frame(mode, "0").as_slice(), first].concat();
        assert_eq!(told(mode, &receive(&mut channel, &before, 1)), ["message 0"]);
        let after = [rest, &handle, &frame(mode, "2")].concat();
        let expected = ["take kept=false", "ack", "message 1", "nack", "message 1", "message 2"];
        assert_eq!(told(mode, &receive(&mut channel, &after, 0)), expected);
    }
}

#[test]
fn descriptors_that_no_message_claims_are_let_go() {
    for mode in MODES {
        let mut channel = Channel::new(mode);
        let happenings = receive(&mut channel, &frame(mode, "1"), MAX_WAITING_DESCRIPTORS + 3);
        assert_eq!(told(mode, &happenings)[1..], ["take kept=false"; 3]);
        let mut out = Vec::new();
        channel.end(&mut out);
        assert_eq!(told(mode, &out), ["take kept=false"; MAX_WAITING_DESCRIPTORS]);
        out.clear();
        channel.end(&mut out);
        assert!(out.is_empty());
    }
}

#[test]
fn garbage_is_told_and_survived() {
    let mut channel = Channel::new(Mode::Json);
    let happenings = receive(&mut channel, b"hello\n\n{\"a\":}\n\x02{}\n\xff\n1\n", 0);
    let expected = [
        "garbage 5 hello",
        "garbage 0 ",
        "garbage 6 {\"a\":}",
        "garbage 3 \u{fffd}{}",
        "garbage 3 \u{fffd}",
        "message 1",
    ];
    assert_eq!(told(Mode::Json, &happenings), expected);
    let long = receive(&mut channel, &[&[b'x'; 10_000][..], b"\n"].concat(), 0);
    assert!(matches!(&long[..], [Happening::Garbage { bytes: 10_000, sample }] if sample.len() < 200), "{long:?}");

    let mut channel = Channel::new(Mode::Advanced);
    let mut bytes = b"\0\0\0\0\0\0\0\x05hello\0\0\0\x03\xff\x0f!".to_vec();
    bytes.extend(frame(Mode::Advanced, "1"));
    let expected = ["garbage 0 ", "garbage 5 hello", "garbage 3 \u{fffd}\u{fffd}!", "message 1"];
    assert_eq!(told(Mode::Advanced, &receive(&mut channel, &bytes, 0)), expected);
}

#[test]
fn text_that_is_not_utf8_is_mended_as_node_does() {
    let happenings = receive(&mut Channel::new(Mode::Json), b"\"a\xffb\"\n", 0);
    assert_eq!(told(Mode::Json, &happenings), ["message \"a\u{fffd}b\""]);
}

#[test]
fn an_unreadable_handle_message_is_answered_all_the_same() {
    // Advanced: something in the message that nobody knows.
    let body = b"\xff\x0fo\"\x03cmd\"\x0bNODE_HANDLE\"\x03msg!{\x02";
    let bytes = [&(body.len() as u32).to_be_bytes()[..], body].concat();
    let told_of = told(Mode::Advanced, &receive(&mut Channel::new(Mode::Advanced), &bytes, 1));
    assert_eq!(told_of[1..], ["take kept=false", "ack"]);
    for mode in MODES {
        let long = format!(r#"{{"cmd":"NODE_HANDLE","type":"net.Server","msg":"{}"}}"#, "x".repeat(2000));
        let bytes = [frame(mode, &long), frame(mode, "1")].concat();
        for step in [1, 7, 63, 64, 65, 1000, 5000] {
            let mut channel = Channel::with_limit(mode, 1000);
            let mut out = Vec::new();
            for (index, part) in bytes.chunks(step).enumerate() {
                channel.receive(part, usize::from(index == 0), &mut out);
            }
            assert_eq!(told(mode, &out), ["too long", "take kept=false", "ack", "message 1"], "{mode:?} step {step}");
        }
    }
}

#[test]
fn a_message_over_the_limit_is_skipped() {
    for mode in MODES {
        let mut channel = Channel::with_limit(mode, 100);
        let long = frame(mode, &format!("\"{}\"", "x".repeat(1000)));
        let happenings = receive(&mut channel, &[&long[..], &frame(mode, "1"), &long, &long[..500]].concat(), 0);
        assert_eq!(told(mode, &happenings), ["too long", "message 1", "too long", "too long"]);
        let happenings = receive(&mut channel, &[&long[500..], &frame(mode, "2")].concat(), 0);
        assert_eq!(told(mode, &happenings), ["message 2"]);
    }
    // A length that only claims: told when its beginning is here, and nothing is reserved for it.
    let mut channel = Channel::new(Mode::Advanced);
    assert!(receive(&mut channel, &[0xff; 4 + 63], 0).is_empty());
    assert_eq!(receive(&mut channel, &[0xff; 1], 0), [Happening::TooLong]);
    for _ in 0..100 {
        assert!(receive(&mut channel, &[b'\n'; 65536], 0).is_empty());
    }
}

#[test]
fn a_message_of_exactly_the_limit_is_taken() {
    for (length, expected) in [(98, "message"), (99, "too long")] {
        let text = format!("\"{}\"", "x".repeat(length));
        let happenings = receive(&mut Channel::with_limit(Mode::Json, 100), &frame(Mode::Json, &text), 0);
        assert!(told(Mode::Json, &happenings)[0].starts_with(expected), "{length}");
    }
}

#[test]
fn a_message_that_is_cut_off_by_the_end_is_told() {
    let mut channel = Channel::new(Mode::Json);
    assert!(receive(&mut channel, b"{\"a\":", 0).is_empty());
    let mut out = Vec::new();
    channel.end(&mut out);
    assert_eq!(told(Mode::Json, &out), ["garbage 5 {\"a\":"]);
}

#[test]
fn deep_and_long_messages_cost_time_in_proportion() {
    let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000) + "\n";
    let happenings = receive(&mut Channel::new(Mode::Json), deep.as_bytes(), 0);
    assert!(matches!(&happenings[..], [Happening::Message(text)] if text.as_str().len() == 2_000_000));
    // 16 MiB by 64 bytes: a search that began anew each time would look at 2 TiB.
    let mut channel = Channel::new(Mode::Json);
    let mut out = Vec::new();
    channel.receive(b"\"", 0, &mut out);
    for _ in 0..1 << 18 {
        channel.receive(&[b'x'; 64], 0, &mut out);
    }
    channel.receive(b"\"\n", 0, &mut out);
    assert!(matches!(&out[..], [Happening::Message(text)] if text.as_str().len() == (1 << 24) + 2));
}

fn any_message() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "-0",
            "1e+300",
            "\"ready\"",
            "\"\\ud800\"",
            "\"é€😀\"",
            "1.5",
            "\"\\\\\\\"\\n\""
        ])
        .prop_map(str::to_owned),
        any::<i32>().prop_map(|value| value.to_string()),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        let key = prop::sample::select(vec!["cmd", "type", "msg", "a", "ключ", ""]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map(key, inner, 0..5).prop_map(|fields| {
                let fields: Vec<String> = fields.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// Frames good and bad.
fn any_frame(mode: Mode) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => any_message().prop_map(move |text| frame(mode, &text)),
        2 => any_message().prop_map(move |text| frame(mode, &format!(r#"{{"cmd":"NODE_HANDLE","type":"net.Server","msg":{text}}}"#))),
        1 => any_message().prop_map(move |text| frame(mode, &format!(r#"{{"cmd":"NODE_X","msg":{text}}}"#))),
        1 => (100usize..400).prop_map(move |length| frame(mode, &format!("\"{}\"", "x".repeat(length)))),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ]
}

fn any_stream() -> impl Strategy<Value = (Mode, Vec<u8>)> {
    prop::sample::select(MODES.to_vec()).prop_flat_map(|mode| {
        (Just(mode), prop::collection::vec(any_frame(mode), 0..12).prop_map(|frames| frames.concat()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_sent_is_what_is_received(text in any_message()) {
        for mode in MODES {
            let happenings = receive(&mut Channel::new(mode), &encode(mode, &text).unwrap(), 0);
            prop_assert!(matches!(&happenings[0], Happening::Message(got) if got.as_str() == text), "{:?}", happenings);
        }
    }

    #[test]
    fn where_a_stream_is_cut_makes_no_difference(
        (mode, bytes) in any_stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        descriptors in 0usize..4,
    ) {
        let mut whole = Vec::new();
        let mut channel = Channel::with_limit(mode, 200);
        channel.receive(&bytes, descriptors, &mut whole);
        channel.end(&mut whole);

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut channel = Channel::with_limit(mode, 200);
        for (index, pair) in cuts.windows(2).enumerate() {
            channel.receive(&bytes[pair[0]..pair[1]], if index == 0 { descriptors } else { 0 }, &mut parts);
        }
        channel.end(&mut parts);
        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn messages_are_json_that_others_accept_and_answers_match_handles((mode, bytes) in any_stream(), descriptors in 0usize..4) {
        let mut channel = Channel::with_limit(mode, 200);
        let mut out = Vec::new();
        channel.receive(&bytes, descriptors, &mut out);
        channel.end(&mut out);
        let taken = out.iter().filter(|happening| matches!(happening, Happening::TakeDescriptor { .. })).count();
        prop_assert_eq!(taken, descriptors);
        for happening in &out {
            match happening {
                Happening::Message(text) | Happening::Internal { text, .. } => {
                    let raw = RawValue::from_string(text.as_str().to_owned());
                    prop_assert!(raw.is_ok_and(|raw| raw.get() == text.as_str()), "{}", text);
                }
                Happening::Answer(bytes) => prop_assert!(*bytes == frame(mode, ACK) || *bytes == frame(mode, NACK)),
                Happening::Garbage { sample, .. } => prop_assert!(sample.chars().count() <= 120),
                Happening::Ready | Happening::TakeDescriptor { .. } | Happening::TooLong => {}
            }
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(
        mode in prop::sample::select(MODES.to_vec()),
        parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), 0usize..3), 0..10),
    ) {
        let mut channel = Channel::with_limit(mode, 100);
        let mut out = Vec::new();
        for (bytes, descriptors) in &parts {
            channel.receive(bytes, *descriptors, &mut out);
        }
        channel.end(&mut out);
        let bytes: usize = parts.iter().map(|(bytes, _)| bytes.len()).sum();
        let descriptors: usize = parts.iter().map(|(_, count)| count).sum();
        prop_assert!(out.len() <= bytes * 2 + descriptors + 1);
    }
}
