//! The decoder against bytes written by hand: what V8 may write, and what only a hostile process would.

use proptest::prelude::*;

use super::{Fault, decode, encode};

fn json(body: &[u8]) -> String {
    let bytes = [b"\xff\x0f", body].concat();
    decode(&bytes, 10_000).unwrap_or_else(|fault| panic!("{fault:?}: {}", body.escape_ascii())).json
}

fn fault(body: &[u8]) -> Fault {
    decode(&[b"\xff\x0f", body].concat(), 10_000).unwrap_err()
}

#[test]
fn primitives() {
    for (body, text) in [
        (&b"_"[..], "null"),
        (b"0", "null"),
        (b"T", "true"),
        (b"F", "false"),
        (b"I\x03", "-2"),
        (b"I\xff\xff\xff\xff\x0f", "-2147483648"),
        (b"U\xff\xff\xff\xff\x0f", "4294967295"),
        (b"N\0\0\0\0\0\0\xf8\x3f", "1.5"),
        (b"N\0\0\0\0\0\0\xf8\x7f", "null"),
        (b"\"\x02\xe9\n", "\"é\\n\""),
        (b"\0c\x04\xac\x20\x00\xd8", "\"€\\ud800\""),
        (b"S\x02\xc3\xa9", "\"é\""),
        (b"Z\x11\xff\xff\xff\xff\xff\xff\xff\xff", "\"-18446744073709551615\""),
        (b"Z\0", "\"0\""),
        (b"?\x05T", "true"),
    ] {
        assert_eq!(json(body), text);
    }
}

#[test]
fn objects_leave_undefined_out_and_arrays_make_it_null() {
    assert_eq!(json(b"o\"\x01a_\"\x01bI\x02\"\x01c_\"\x01dI\x04{\x04"), r#"{"b":1,"d":2}"#);
    assert_eq!(json(b"oI\x02TU\x05F\"\x000{\x03"), r#"{"1":true,"5":false,"":null}"#);
    assert_eq!(json(b"A\x03_-T$\0\x03"), "[null,null,true]");
    assert_eq!(json(b"A\0$\0\0"), "[]");
    assert_eq!(json(b"o{\0"), "{}");
}

#[test]
fn sparse_arrays_are_filled() {
    assert_eq!(json(b"a\x05I\x02TI\x06F@\x02\x05"), "[null,true,null,false,null]");
    assert_eq!(json(b"a\x02@\0\x02"), "[null,null]");
    assert_eq!(json(b"a\0@\0\0"), "[]");
    assert_eq!(json(b"a\x02I\0TU\x01F\"\x01xT@\x03\x02"), "[true,false]");
    // Out of order, out of range, not whole: not elements.
    assert_eq!(json(b"a\x02I\x02TI\0FU\x07F@\x03\x02"), "[null,true]");
    assert_eq!(json(b"a\x02N\0\0\0\0\0\0\xf8\x3fT@\x01\x02"), "[null,null]");
    // Four billion holes in seven bytes.
    assert_eq!(fault(b"a\xff\xff\xff\xff\x0f@\0\0"), Fault::TooLarge);
}

#[test]
fn boxes_dates_and_bare_objects() {
    assert_eq!(json(b"A\x05yxn\0\0\0\0\0\0\0\x40z\x02\x07s\"\x01a$\0\x05"), r#"[true,false,2,"7","a"]"#);
    assert_eq!(json(b"D\0\0\0\0\0\0\0\0"), "\"1970-01-01T00:00:00.000Z\"");
    assert_eq!(json(b"D\0\0\0\0\0\0\xf8\x7f"), "null");
    assert_eq!(json(b"A\x03R\"\x01a\x01B\x02xx~\x01\x04x$\0\x03"), "[{},{},{}]");
    assert_eq!(json(b"A\x03;I\x02T:\x02'TF,\x02rTm\"\x01xs\"\x01y.$\0\x03"), "[{},{},{}]");
}

#[test]
fn host_objects_are_buffers_and_plain_objects() {
    assert_eq!(json(b"\\\x00\x0a\x02\x01\x02"), r#"{"type":"Buffer","data":[1,2]}"#);
    assert_eq!(json(b"\\\x01o\"\x01aT{\x01"), r#"{"a":true}"#);
    // The host object counts as one, what stands for it as another.
    assert_eq!(json(b"A\x03\\\x01o\"\x01aT{\x01^\x01^\x02$\0\x03"), r#"[{"a":true},{"a":true},{"a":true}]"#);
    assert_eq!(fault(b"\\\x02o{\0"), Fault::Malformed);
    assert_eq!(fault(b"\\\x00\x63\x00"), Fault::Malformed);
}

#[test]
fn references_repeat_and_cycles_become_null() {
    assert_eq!(json(b"A\x02o\"\x01aT{\x01^\x01$\0\x02"), r#"[{"a":true},{"a":true}]"#);
    let bytes = b"\xff\x0fo\"\x01a^\0\"\x01bA\x01^\0$\0\x01{\x02";
    let decoded = decode(bytes, 1000).unwrap();
    assert_eq!((decoded.json.as_str(), decoded.cycles), (r#"{"a":null,"b":[null]}"#, 2));
    assert_eq!(fault(b"^\0"), Fault::Malformed);
    assert_eq!(fault(b"A\x01^\x07$\0\x01"), Fault::Malformed);
}

#[test]
fn what_is_hidden_can_be_referred_to() {
    // [Map { 1 => {a: [Set {{b: 1}}]} }, the inner object, the set's object]
    let map = b"A\x03;I\x02o\"\x01aA\x01'o\"\x01bI\x02{\x01,\x01$\0\x01{\x01:\x02^\x02^\x05$\0\x03";
    assert_eq!(json(map), r#"[{},{"a":[{}]},{"b":1}]"#);
    // [array with property x: {a: 1}, that object]
    assert_eq!(json(b"A\x02A\0\"\x01xo\"\x01aI\x02{\x01$\x01\0^\x02$\0\x02"), r#"[[],{"a":1}]"#);
    // [error with a cause, the cause]
    assert_eq!(json(b"A\x02rEco\"\x01aI\x02{\x01.^\x02$\0\x02"), r#"[{},{"a":1}]"#);
    // A hidden value that refers to a shown one, and back.
    assert_eq!(json(b"A\x03o\"\x01aT{\x01'A\x01^\x01$\0\x01,\x01^\x03$\0\x03"), r#"[{"a":true},{},[{"a":true}]]"#);
}

#[test]
fn a_message_that_describes_an_endless_text_is_too_large() {
    // Each array holds the one before it twice: 2^40 elements.
    let mut body = b"A\x29A\0$\0\0".to_vec();
    for id in 1..=40 {
        body.extend_from_slice(&[b'A', 2, b'^', id, b'^', id, b'$', 0, 2]);
    }
    body.extend_from_slice(b"$\0\x29");
    assert_eq!(fault(&body), Fault::TooLarge);
    assert_eq!(fault(&[b"\"\x80\x20".as_slice(), &[1; 4096]].concat()), Fault::TooLarge);
}

#[test]
fn depth_is_bounded_without_stack() {
    let deep = |levels: usize| [b"A\x01".repeat(levels), b"T".to_vec(), b"$\0\x01".repeat(levels)].concat();
    assert_eq!(json(&deep(4000)), "[".repeat(4000) + "true" + &"]".repeat(4000));
    for opening in [&b"A\x01"[..], b"o\"\0", b"a\x01I\0", b"\\\x01", b";", b"'", b"rc"] {
        let bytes = [b"\xff\x0f", opening.repeat(1_000_000).as_slice()].concat();
        assert_eq!(decode(&bytes, 1 << 26).unwrap_err(), Fault::Malformed, "{}", opening.escape_ascii());
    }
}

#[test]
fn foreign_and_broken_bytes_are_malformed() {
    for body in [
        &b""[..],
        b"!",
        b"V",
        b"u\0",
        b"t\0",
        b"w\0",
        b"p\0",
        b"o",
        b"oT",
        b"oo{\0T",
        b"\"\x05ab",
        b"c\x01a",
        b"N\0",
        b"I\x80",
    ] {
        assert_eq!(fault(body), Fault::Malformed, "{}", body.escape_ascii());
    }
    for bytes in [&b""[..], b"\xff", b"\xff\x0cT", b"T", b"\x0fT", b"{\"a\":1}"] {
        assert_eq!(decode(bytes, 1000).unwrap_err(), Fault::Malformed);
    }
}

/// Bytes that are likelier to be the format than chance would make them.
fn plausible() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(b"?-_0TFIUNZS\"c^o{a@A$DyxnzsR;:',B~\\rEmcs.\0\x01\x02\x03".to_vec()).prop_map(|byte| vec![byte]),
        2 => prop::sample::select(vec![b"\"\x01a".to_vec(), b"I\x02".to_vec(), b"{\x01".to_vec(), b"$\0\x01".to_vec(), b"A\x02".to_vec(), b"^\0".to_vec(), b"^\x01".to_vec()]),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_bytes_give_json_within_the_limit_or_a_fault(body in plausible(), limit in 0usize..300) {
        if let Ok(decoded) = decode(&[b"\xff\x0f", body.as_slice()].concat(), limit) {
            prop_assert!(decoded.json.len() <= limit);
            prop_assert!(crate::json::outline(&decoded.json, ["x"]).is_ok(), "{}", decoded.json);
        }
    }

    #[test]
    fn every_cut_of_a_message_is_a_fault(text in any_json()) {
        let mut bytes = Vec::new();
        encode(&mut bytes, &text, 1000).unwrap();
        for cut in 0..bytes.len() {
            prop_assert!(decode(&bytes[..cut], 1 << 20).is_err(), "cut at {}", cut);
        }
        prop_assert_eq!(decode(&bytes, 1 << 20).unwrap().json, text);
    }
}

/// JSON as `JSON.stringify` writes it.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i32>().prop_map(|value| value.to_string()),
        prop::sample::select(vec![
            "-0",
            "1e+300",
            "0.1",
            "1152921504606847000",
            "-2147483649",
            "5e-324",
            "\"\\ud800\"",
            "\"\\n\\\"\""
        ])
        .prop_map(str::to_owned),
        any::<String>().prop_map(|text| stringified(&text)),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|fields| {
                let fields: Vec<String> =
                    fields.iter().map(|(key, value)| format!("{}:{value}", stringified(key))).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

fn stringified(text: &str) -> String {
    let mut out = Vec::new();
    assert!(crate::json::escape_units(&mut out, text.encode_utf16(), 1 << 20).is_continue());
    String::from_utf8(out).unwrap()
}
