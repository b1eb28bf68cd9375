//! The channel against real Node: every test runs with the `node` on the `PATH` and with each binary that
//! `REWAKE_TEST_NODES` names (separated by colons). Never relies on timing.

mod app;
mod clone;
mod cluster;
mod handles;

use app::{App, ECHO, with_each};
use rewake_nodeipc::{Happening, Mode};

const BOTH: [Mode; 2] = [Mode::Json, Mode::Advanced];

#[test]
fn ready_is_recognised() {
    with_each(&BOTH, "process.send('ready')", |app| {
        app.expect_message("\"ready\"");
        assert_eq!(app.next(), Some(Happening::Ready));
        // Nobody listens, so the channel does not keep the process.
        assert_eq!(app.next(), None);
        assert!(app.exit().success(), "{}", app.name);
    });
}

#[test]
fn messages_come_back_identical() {
    let nested = "[".repeat(500) + &"]".repeat(500);
    let two_bytes = format!("\"{}\"", "ж".repeat(500_000));
    let mixed = format!("{{\"text\":\"{}\"}}", "aé€😀\\n".repeat(50_000));
    let wide = format!("[{}0]", "0,".repeat(100_000));
    with_each(&BOTH, ECHO, |app| {
        for text in [
            r#"{"text":"line\nbreak \"quoted\" \\ äöü €uro 😀 \u0000\u001f"}"#,
            r#""\ud800""#,
            r#"["\udfff\ud800x","😀"]"#,
            "true",
            "null",
            "0",
            "-2147483648",
            "2147483648",
            "1e+300",
            "0.1",
            r#""""#,
            "[]",
            "{}",
            r#"{"":{"":[[],{}]}}"#,
            r#"{"1":true,"2":false,"b":1,"a":2}"#,
            r#"{"cmd":"NODE_"}"#,
            r#"{"cmd":"NODE"}"#,
            r#"{"cmd":5}"#,
            r#"["cmd","NODE_FOO"]"#,
            &nested,
            &two_bytes,
            &mixed,
            &wide,
        ] {
            app.send(text);
            app.expect_message(text);
        }
        app.end();
    });
}

#[test]
fn node_gets_the_values_that_the_text_says() {
    let script = "const checks = [
        m => Object.is(m, -0), m => m === 2 ** 60, m => m === 1e300, m => m === Infinity,
        m => m === '\\ud800' && m.length === 1, m => m.b === 2 && Object.keys(m).length === 1,
        m => Object.hasOwn(m, '__proto__') && m.__proto__ === 1, m => m[0].a === 7 && m.length === 2,
        m => { let n = 0; while (m) { m = m[0]; n++ } return n === 1000 },
    ];
    process.on('message', m => process.send(checks.shift()(m)));";
    let nested = "[".repeat(1000) + &"]".repeat(1000);
    with_each(&BOTH, script, |app| {
        let texts = [
            "-0",
            "1152921504606846976",
            "1e300",
            "1e999",
            r#""\ud800""#,
            r#"{"b":1,"\u0062":2}"#,
            r#"{"__proto__":1}"#,
            "\n[ {\n\"a\" :\t7 },\r\n 8 ]\n",
            &nested,
        ];
        for text in texts {
            app.send(text);
            let got = app.message();
            assert_eq!(got, "true", "{}: {:.50}", app.name, text);
        }
    });
}

#[test]
fn what_node_would_not_write_comes_byte_for_byte() {
    let texts =
        ["-0", "1152921504606846976", "1e300", r#"{"a":[-0,1E5],"b":"\ud800\u00e9"}"#, "[ 1 ]", "\"\u{7f}é€😀\""];
    let lines = texts.iter().map(|text| format!("{text}\n")).collect::<String>();
    let script = format!("require('fs').writeSync(0, {})", serde_json::to_string(&lines).unwrap());
    with_each(&[Mode::Json], &script, |app| {
        for text in texts {
            app.expect_message(text);
        }
        assert_eq!(app.next(), None);
    });
}

#[test]
fn five_thousand_messages_stay_in_order_both_ways() {
    with_each(&BOTH, ECHO, |app| {
        for number in 0..5000 {
            app.send(&format!("{{\"number\":{number},\"text\":\"é€\"}}"));
        }
        for number in 0..5000 {
            app.expect_message(&format!("{{\"number\":{number},\"text\":\"é€\"}}"));
        }
        app.end();
    });
    with_each(&BOTH, "for (let n = 0; n < 5000; n++) process.send({ n, text: 'x'.repeat(n % 300) })", |app| {
        for number in 0..5000 {
            app.expect_message(&format!("{{\"n\":{number},\"text\":\"{}\"}}", "x".repeat(number % 300)));
        }
        assert_eq!(app.next(), None);
    });
}

#[test]
fn nodes_own_messages_do_not_reach_the_user() {
    let script = "process.send({ cmd: 'NODE_FOO', a: 1 }); process.send({ cmd: 'NODE_' }); process.on('message', m => process.send(m));";
    with_each(&BOTH, script, |app| {
        match app.next() {
            Some(Happening::Internal { cmd, text }) => {
                assert_eq!((cmd.as_str(), text.as_str()), ("NODE_FOO", r#"{"cmd":"NODE_FOO","a":1}"#));
            }
            other => panic!("{}: {other:?}", app.name),
        }
        app.expect_message(r#"{"cmd":"NODE_"}"#);
        if app.mode == Mode::Json {
            // Node hides it from its user too.
            app.send_bytes(b"{\"cmd\":\"NODE_FOO\"}\n".to_vec());
        }
        app.send("1");
        app.expect_message("1");
    });
}

#[test]
fn a_disconnect_is_the_end_of_file_after_the_last_message() {
    let scripts = [
        "process.send('x'.repeat(1000)); process.disconnect(); process.exitCode = 3",
        // Node itself cuts off what the socket has not taken yet: a long message must be waited for.
        "process.send('x'.repeat(1 << 20), () => process.disconnect()); process.exitCode = 3",
    ];
    for (script, length) in scripts.into_iter().zip([1000, 1 << 20]) {
        with_each(&BOTH, script, |app| {
            app.expect_message(&format!("\"{}\"", "x".repeat(length)));
            assert_eq!(app.next(), None);
            assert_eq!(app.exit().code(), Some(3), "{}", app.name);
        });
    }
}

#[test]
fn a_message_that_the_app_did_not_wait_for_is_told_as_garbage() {
    with_each(&BOTH, "process.send('x'.repeat(10 << 20)); process.kill(process.pid, 'SIGKILL')", |app| {
        // A reader that is fast enough would have all of it.
        app.wait_unread();
        assert!(matches!(app.next(), Some(Happening::Garbage { .. })), "{}", app.name);
        assert_eq!(app.next(), None);
    });
}

#[test]
fn the_channel_is_not_told_to_grandchildren() {
    let script = "process.send([process.env.NODE_CHANNEL_FD, process.env.NODE_CHANNEL_SERIALIZATION_MODE].map(v => v === undefined))";
    with_each(&BOTH, script, |app: &mut App| app.expect_message("[true,true]"));
}

#[test]
fn garbage_on_the_channel_is_survived() {
    let script = "require('fs').writeSync(0, 'warning: from a native addon\\n'); process.send('after')";
    with_each(&[Mode::Json], script, |app| {
        match app.next() {
            Some(Happening::Garbage { bytes: 28, sample }) => assert_eq!(sample, "warning: from a native addon"),
            other => panic!("{}: {other:?}", app.name),
        }
        app.expect_message("\"after\"");
    });
}
