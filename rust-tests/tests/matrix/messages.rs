//! What clients and workers say to each other arrives whole, in order and to the byte, whatever else is on the channel.

use rust_tests::ports::free_port;
use serde_json::json;

use super::support::fleet::{App, Fleet, each_node};
use super::support::wire::{Caller, Hearer};

const SCRIPT: (&str, &str) = ("speak.js", include_str!("scripts/speak.js"));

/// One worker, and the two ends of the conversation.
struct Talk<'a> {
    app: &'a str,
    what: String,
    caller: &'a mut Caller,
    hearer: &'a mut Hearer,
}

impl Talk<'_> {
    fn send(&mut self, message: &str) {
        self.caller.send(self.app, message);
    }

    fn expect(&mut self, expected: &str) {
        let message = self.hearer.message();
        let short = |text: &str| text.chars().take(300).collect::<String>();
        assert!(message.data == expected, "{}: {}, expected {}", self.what, short(&message.data), short(expected));
    }

    /// Nothing is on its way any more, and the worker still talks.
    fn still_talks(&mut self) {
        self.send("\"still there\"");
        self.expect("\"still there\"");
    }
}

/// Talks to a worker of each Node, by each serialization.
fn with_each(serializations: &[&str], test: impl Fn(&mut Talk<'_>)) {
    for node in each_node() {
        let fleet = Fleet::new(&node, &[SCRIPT]);
        fleet.run(&["ping"]).ok();
        let mut hearer = Hearer::connect(&fleet);
        let app =
            |name: &&str| App::new(name, "speak.js").instances(1).env("PORT", free_port()).set("serialization", *name);
        fleet.start(&serializations.iter().map(app).collect::<Vec<_>>());
        assert_eq!(hearer.messages(serializations.len()), vec!["\"here\""; serializations.len()]);
        let mut caller = Caller::connect(&fleet);
        for serialization in serializations {
            let what = format!("Node {} {serialization}", node.major);
            test(&mut Talk { app: serialization, what, caller: &mut caller, hearer: &mut hearer });
        }
        assert!(fleet.jlist().iter().all(|slot| slot["pm2_env"]["restart_time"] == 0), "they live on");
    }
}

const BOTH: &[&str] = &["json", "advanced"];

#[test]
fn messages_of_any_text_and_size_come_back_as_they_went() {
    with_each(BOTH, |talk| {
        let two_byte = format!("\"{}\"", "é".repeat(1 << 19));
        let deep = format!("{}0{}", "[".repeat(500), "]".repeat(500));
        let texts = [
            r#""line\nend \"quoted\" \\ äöü € 😀 \u0007""#,
            r#"{"a":[1,{"b":null}],"text":"\n\r\t"}"#,
            r#""\ud800""#,
            &deep,
            "1152921504606847000",
            "1e+300",
            "true",
            "false",
            "null",
            "\"ready\"",
            "\"shutdown\"",
            "\"\"",
            "{}",
            "[]",
            r#"{"cmd":"NODE_"}"#,
            r#"{"cmd":null}"#,
            &two_byte,
        ];
        for text in texts {
            talk.send(text);
            talk.expect(text);
        }
        talk.send(r#"{"keep":true}"#);
        for text in ["-0", "1152921504606846976", "1e300", r#""\uD800""#, &deep] {
            talk.send(text);
        }
        talk.send(r#"{"do":"recognise"}"#);
        talk.expect("[true,true,true,true,500]");
        talk.send(r#"{"keep":false}"#);
        // Names that Node keeps for itself reach nobody; those that look like them do.
        talk.send(r#"{"do":"reserved"}"#);
        for cmd in ["\"NODE_\"", "\"NODE\"", "\"node_foo\"", "7"] {
            talk.expect(&format!("{{\"cmd\":{cmd}}}"));
        }
        talk.expect("\"all\"");
        talk.still_talks();
        let reserved = talk.caller.send_all(talk.app, [r#"{"cmd":"NODE_FOO"}"#.to_owned()]);
        assert!(reserved.len() == 1 && reserved[0].contains("BAD_REQUEST"), "{}: {reserved:?}", talk.what);
    });
}

#[test]
fn what_a_worker_writes_reaches_the_client_to_the_byte() {
    with_each(&["json"], |talk| {
        let deep = format!("{}0{}", "[".repeat(500), "]".repeat(500));
        let lines =
            ["-0", "1152921504606846976", "1e300", r#""\uD800""#, r#"{"b":1,"a":2,"b":3}"#, &deep, "\"\\/\"", "[1.0]"];
        talk.send(&json!({ "do": "raw", "lines": lines }).to_string());
        for line in lines {
            talk.expect(line);
        }
        talk.still_talks();
    });
}

#[test]
fn five_thousand_messages_in_a_burst_come_in_order_both_ways() {
    with_each(BOTH, |talk| {
        talk.send(r#"{"do":"burst","count":5000}"#);
        for n in 0..5000 {
            talk.expect(&format!("{{\"n\":{n}}}"));
        }
        talk.send(r#"{"keep":true}"#);
        assert_eq!(talk.caller.send_all(talk.app, (0..5000).map(|n| format!("{{\"n\":{n}}}"))), [""; 0]);
        talk.send(r#"{"do":"ordered"}"#);
        talk.expect("true");
    });
}

#[test]
fn a_worker_that_sends_sockets_and_servers_goes_on_talking_and_its_messages_stay_in_order() {
    with_each(BOTH, |talk| {
        // The second takes several reads for each message with a handle.
        for size in [1, 300_000] {
            let text = "x".repeat(size);
            talk.send(&json!({ "do": "handles", "size": size }).to_string());
            for n in 0..=8 {
                let text = if matches!(n, 1 | 3 | 4 | 5) { format!(",\"text\":\"{text}\"") } else { String::new() };
                talk.expect(&format!("{{\"n\":{n}{text}}}"));
            }
            talk.still_talks();
        }
    });
}
