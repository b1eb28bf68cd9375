//! The advanced mode against what V8 really writes. The app tells for each value what `JSON.stringify` makes of it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::app::{App, ECHO, with_each};
use rewake_nodeipc::{Happening, Mode};

/// A value as the channel decoded it, and as the app's own `JSON.stringify` shows it.
#[derive(Debug, Deserialize)]
struct Pair<'a> {
    #[serde(borrow)]
    value: &'a RawValue,
    json: String,
}

fn check_pairs(app: &mut App) -> usize {
    let mut count = 0;
    while let Some(happening) = app.next() {
        let Happening::Message(text) = happening else { panic!("{}: {happening:?}", app.name) };
        let pair: Pair<'_> = serde_json::from_str(text.as_str()).unwrap();
        assert_eq!(pair.value.get(), pair.json, "{}", app.name);
        count += 1;
    }
    assert!(app.exit().success(), "{}", app.name);
    count
}

#[test]
fn values_are_decoded_as_json_stringify_shows_them() {
    let script = r#"
        const shared = { s: [1, 'two'] }, sparse = []; sparse[50] = 'x'; sparse[7] = undefined; sparse.name = shared;
        const holes = [1, , 3]; holes.extra = { deep: shared };
        class Point { constructor() { this.x = 1; this.y = { z: 2 } } get sum() { return 3 } }
        const error = new TypeError('message', { cause: { why: shared } });
        const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
        const values = [
            null, true, false, 0, 1, -1, 63, 64, -64, -65, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 32, 2 ** 53,
            0.1, 1e21, 1e-7, 123456789012345680000, 5e-324, Number.MAX_VALUE, NaN, Infinity, -Infinity,
            '', 'ascii', 'latin é ÿ', 'two byte €', 'pair 😀', 'lone \ud800 and \udc00', '\0\b\t\n\v\f\r\x1f"\\/\x7f\u2028', 'x'.repeat(1e6),
            [], {}, [[]], [undefined, , null], holes, sparse, new Array(20), { a: undefined, b: null, c: undefined },
            { 2: 'b', 1: 'a', '-1': 'c', '1.5': 'd', 4294967295: 'e', 'é€': 'f', '': 'g' },
            [shared, shared, { again: shared }], new Point(), Object.create({ inherited: 1 }, { own: { value: 2, enumerable: true } }),
            new Date(0), new Date(1e12 + 5), new Date(-1), new Date(8.64e15), new Date(-8.64e15), new Date(NaN), new Date(-62198755200000),
            /re"g/giu, new Map([[1, shared], [shared, 2]]), new Set([shared, [shared]]), [new Map([['k', shared]]), shared],
            [new Set([new Map([[shared, { inner: shared }]])]), shared, [shared]],
            error, [error, error.cause], new RangeError('x'),
            Object(true), Object(false), Object(1.5), Object('boxed é€'),
            Buffer.from('bytes'), Buffer.alloc(0), Buffer.alloc(1000, 255), new Uint8Array(bytes), new Int8Array(bytes), new Uint8ClampedArray(bytes),
            new Int16Array(bytes), new Uint16Array(bytes), new Int32Array(bytes), new Uint32Array(bytes), new Float32Array([0.1, 1e10, NaN]),
            new Float64Array([0.1, 1e300, -Infinity]), new DataView(bytes), bytes, new Uint8Array(bytes, 2, 3), [Buffer.from('a'), shared, Buffer.from('b'), shared],
            new Array(500).fill().reduce((inner) => [inner], 0), new Array(1000).fill({ k: shared }), Array.from({ length: 1000 }, (_, i) => i * 1.1),
            Object.fromEntries(Array.from({ length: 2000 }, (_, i) => ['key' + i, i])), new Proxy({}, {}) instanceof Object,
        ];
        if (typeof Float16Array === 'function') values.push(new Float16Array([1.5, 0.1, 65504, NaN]));
        if (bytes.resize) values.push(new ArrayBuffer(4, { maxByteLength: 16 }));
        let seed = 42; const random = () => (seed = seed * 1103515245 + 12345 & 0x7fffffff) / 2 ** 31;
        for (let i = 0; i < 2000; i++) values.push((random() - 0.5) * 10 ** Math.floor(random() * 640 - 320));
        for (const value of values) process.send({ value, json: JSON.stringify(value) });
        "#;
    with_each(&[Mode::Advanced], script, |app| {
        let count = check_pairs(app);
        assert!(count > 2080, "{}: {count}", app.name);
    });
}

#[test]
fn what_json_has_no_word_for_is_shown_as_documented() {
    let script = "
        const cycle = { name: 'c' }; cycle.self = cycle; cycle.list = [cycle, { cycle }];
        for (const value of [[12n, -(2n ** 64n)], [Object(7n)], new BigInt64Array([-1n]), new BigUint64Array([2n ** 64n - 1n]), -0, cycle, [2n ** 9000n]])
            process.send(value);";
    with_each(&[Mode::Advanced], script, |app| {
        for text in
            [r#"["12","-18446744073709551616"]"#, "[\"7\"]", r#"{"0":"-1"}"#, r#"{"0":"18446744073709551615"}"#, "-0"]
        {
            app.expect_message(text);
        }
        let Some(Happening::Message(text)) = app.next() else { panic!("{}", app.name) };
        assert_eq!(text.as_str(), r#"{"name":"c","self":null,"list":[null,{"cycle":null}]}"#);
        assert_eq!(text.cycles(), 3);
        app.expect_message(&format!("[\"0x01{}\"]", "0".repeat(9000 / 4)));
        assert_eq!(app.next(), None);
    });
}

#[test]
fn objects_of_nodes_own_are_shown_as_plain_ones() {
    // A handle is a host object; V8 leaves it to Node, which sends its own properties.
    let script = "
        const pipe = new (process.binding('pipe_wrap').Pipe)(0); pipe.extra = { a: [1] };
        process.send({ pipe, extra: pipe.extra });";
    with_each(&[Mode::Advanced], script, |app| {
        app.expect_message(r#"{"pipe":{"extra":{"a":[1]}},"extra":{"a":[1]}}"#);
    });
}

#[test]
fn deep_values_are_read_as_deep_as_node_writes_them() {
    let script = "
        let value = 0, sent = 0;
        for (let depth = 1; depth <= 20000; depth++) {
            value = [value];
            if (depth % 1000 === 0) try { process.send(value); sent = depth } catch { break }
        }
        process.send({ sent });";
    with_each(&[Mode::Advanced], script, |app| {
        let mut depth = 0;
        loop {
            let text = app.message();
            if text.starts_with('{') {
                assert_eq!(text, format!("{{\"sent\":{depth}}}"), "{}", app.name);
                break;
            }
            depth += 1000;
            assert!(text == "[".repeat(depth) + "0" + &"]".repeat(depth), "{}: {depth}", app.name);
        }
        assert!(depth >= 1000, "{}", app.name);
    });
}

#[test]
fn generated_values_come_back_identical() {
    with_each(&[Mode::Json, Mode::Advanced], ECHO, |app| {
        let mut texts = Generator(7);
        for _ in 0..2000 {
            let text = texts.value(4);
            app.send(&text);
            app.expect_message(&text);
        }
        app.end();
    });
}

/// Makes JSON as `JSON.stringify` would write it, always the same.
struct Generator(u64);

impl Generator {
    fn pick(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn string(&mut self) -> String {
        const PIECES: [&str; 12] = ["a", "é", "€", "😀", "\\n", "\\\"", "\\\\", "\\ud83d", "/", "\\u0007", " ", "zz"];
        let length = self.pick(8);
        let pieces: String = (0..length).map(|_| PIECES[self.pick(12) as usize]).collect();
        // A lone surrogate stays one: no low half ever follows.
        format!("\"{pieces}\"")
    }

    fn value(&mut self, depth: u64) -> String {
        match self.pick(if depth == 0 { 6 } else { 9 }) {
            0 => "null".into(),
            1 => (self.pick(2) == 0).to_string(),
            2 => (self.pick(1 << 32) as i64 - (1 << 31)).to_string(),
            3 => format!("{}.5", self.pick(1000)),
            4 | 5 => self.string(),
            6 | 7 => {
                let fields: Vec<String> = (0..self.pick(6))
                    .map(|index| format!("\"k{index}{}:{}", &self.string()[1..], self.value(depth - 1)))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }
            _ => {
                let items: Vec<String> = (0..self.pick(6)).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
        }
    }
}
