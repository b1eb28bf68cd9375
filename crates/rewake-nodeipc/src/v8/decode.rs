//! Structured clone to the text that `JSON.stringify` would make of the value. Never recurses, and never writes more
//! than its limit: references can make a short message describe an endless text.
//!
//! Where `JSON.stringify` throws or loses: a BigInt becomes a string of its digits, a reference to an object that is
//! still being written (a cycle) becomes `null` and is counted, `-0` keeps its sign, and `undefined` alone is `null`.

use super::{
    bigint, date,
    output::{Id, Output},
    read::{Chars, Reader},
    tag, views,
};

/// Deepest nesting, in levels. V8 itself stops at some thousand, when its stack ends.
const MAX_DEPTH: usize = 10_000;

/// The JSON text of a message.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) json: String,
    pub(crate) cycles: u32,
}

/// Why there is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not the format, cut short, or something that cannot come over a channel.
    Malformed,
    /// The text would be over the limit.
    TooLarge,
}

/// Reads a whole message; the text has at most `limit` bytes.
pub(crate) fn decode(bytes: &[u8], limit: usize) -> Result<Decoded, Fault> {
    let mut input = Reader::new(bytes);
    if input.byte()? != tag::VERSION || input.varint()? < tag::OLDEST_VERSION {
        return Err(Fault::Malformed);
    }
    let mut decoder = Decoder { input, out: Output::new(limit), frames: Vec::new() };
    decoder.value_or_null()?;
    while let Some(frame) = decoder.frames.pop() {
        decoder.go_on(frame)?;
    }
    let (json, cycles) = decoder.out.finished()?;
    Ok(Decoded { json, cycles })
}

#[derive(Debug)]
struct Decoder<'a> {
    input: Reader<'a>,
    out: Output,
    frames: Vec<Frame>,
}

/// An object of which the rest is still to be read.
#[derive(Debug, Clone, Copy)]
enum Frame {
    Object {
        id: Id,
        empty: bool,
    },
    Dense {
        id: Id,
        left: u32,
        empty: bool,
    },
    Sparse {
        id: Id,
        next: u32,
        length: u32,
    },
    /// A host object that stands for the plain object behind it.
    Plain {
        id: Id,
        read: bool,
    },
    /// Hidden: properties of an array, until `end`.
    Properties {
        end: u8,
    },
    /// Hidden: values of a map or set, until `end`.
    Members {
        end: u8,
    },
    /// Hidden: parts of an error.
    Error,
}

/// What reading a value did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// It is written, or its beginning is and a frame does the rest.
    Written,
    /// `undefined`, or a hole: nothing is written.
    Undefined,
}

impl<'a> Decoder<'a> {
    /// Does the next piece of work on an object that has been taken off the stack; puts it back unless it is finished.
    fn go_on(&mut self, frame: Frame) -> Result<(), Fault> {
        match frame {
            Frame::Object { id, empty } => self.property(id, empty),
            Frame::Dense { id, left, empty } => self.element(id, left, empty),
            Frame::Sparse { id, next, length } => self.sparse_element(id, next, length),
            Frame::Plain { id, read: false } => {
                self.frames.push(Frame::Plain { id, read: true });
                self.value_or_null()
            }
            Frame::Plain { id, read: true } => {
                self.out.finish(id);
                Ok(())
            }
            Frame::Properties { end } => {
                let found = self.input.tag()?;
                if found == end {
                    self.input.varint()?;
                    self.input.varint()?;
                    self.out.reveal();
                    return Ok(());
                }
                self.index_or_name(found)?;
                self.frames.push(frame);
                self.value().map(|_| ())
            }
            Frame::Members { end } => {
                if self.input.is_next(end)? {
                    self.input.varint()?;
                    self.out.reveal();
                    return Ok(());
                }
                self.frames.push(frame);
                self.value().map(|_| ())
            }
            Frame::Error => self.error_part(),
        }
    }

    fn property(&mut self, id: Id, empty: bool) -> Result<(), Fault> {
        let found = self.input.tag()?;
        if found == tag::END_OBJECT {
            self.input.varint()?;
            self.out.put(b"}")?;
            self.out.finish(id);
            return Ok(());
        }
        let before = self.out.length();
        if !empty {
            self.out.put(b",")?;
        }
        match self.index_or_name(found)? {
            Key::Name(name) => self.out.put_string(name)?,
            Key::Number(number) => {
                self.out.put(b"\"")?;
                // A property named -0 is named "0".
                self.out.put_number(number + 0.0)?;
                self.out.put(b"\"")?;
            }
        }
        self.out.put(b":")?;
        // On the stack before the value, which may put its own frame above.
        let own = self.frames.len();
        self.frames.push(Frame::Object { id, empty: false });
        if self.value()? == Read::Undefined {
            self.out.take_back(before);
            self.frames[own] = Frame::Object { id, empty };
        }
        Ok(())
    }

    fn element(&mut self, id: Id, left: u32, empty: bool) -> Result<(), Fault> {
        if left == 0 {
            self.out.put(b"]")?;
            self.out.finish(id);
            return self.hide(Frame::Properties { end: tag::END_DENSE_ARRAY });
        }
        if !empty {
            self.out.put(b",")?;
        }
        self.frames.push(Frame::Dense { id, left: left - 1, empty: false });
        self.value_or_null()
    }

    fn sparse_element(&mut self, id: Id, next: u32, length: u32) -> Result<(), Fault> {
        let before = self.input.clone();
        let found = self.input.tag()?;
        if found != tag::END_SPARSE_ARRAY
            && let Key::Number(number) = self.index_or_name(found)?
            && number >= f64::from(next)
            && number < f64::from(length)
            && number.fract() == 0.0
        {
            // Between two 32-bit numbers, and whole.
            let index = number as u32;
            self.put_holes(next, index)?;
            if index > 0 {
                self.out.put(b",")?;
            }
            self.frames.push(Frame::Sparse { id, next: index + 1, length });
            return self.value_or_null();
        }
        // The indices are over; what follows, if anything, are properties that JSON does not show.
        self.input = before;
        self.put_holes(next, length)?;
        self.out.put(b"]")?;
        self.out.finish(id);
        self.hide(Frame::Properties { end: tag::END_SPARSE_ARRAY })
    }

    fn put_holes(&mut self, from: u32, to: u32) -> Result<(), Fault> {
        // A length of four billion costs a hostile app five bytes: look before writing.
        if !self.out.has_room(((to - from) as usize).saturating_mul(4)) {
            return Err(Fault::TooLarge);
        }
        for index in from..to {
            self.out.put(if index == 0 { b"null" } else { b",null" })?;
        }
        Ok(())
    }

    fn error_part(&mut self) -> Result<(), Fault> {
        let part = self.input.byte()?;
        match part {
            tag::ERROR_END => {
                self.out.reveal();
                return Ok(());
            }
            tag::ERROR_MESSAGE | tag::ERROR_STACK => {
                let found = self.input.tag()?;
                self.input.string(found)?.ok_or(Fault::Malformed)?;
            }
            tag::ERROR_CAUSE => {
                self.frames.push(Frame::Error);
                return self.value().map(|_| ());
            }
            _ if tag::ERROR_KINDS.contains(&part) => {}
            _ => return Err(Fault::Malformed),
        }
        self.frames.push(Frame::Error);
        Ok(())
    }

    fn value_or_null(&mut self) -> Result<(), Fault> {
        if self.value()? == Read::Undefined {
            self.out.put(b"null")?;
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Read, Fault> {
        let mut found = self.input.tag()?;
        while found == tag::VERIFY_OBJECT_COUNT {
            self.input.varint()?;
            found = self.input.tag()?;
        }
        if let Some(chars) = self.input.string(found)? {
            self.out.put_string(chars)?;
            return Ok(Read::Written);
        }
        match found {
            tag::UNDEFINED | tag::THE_HOLE => return Ok(Read::Undefined),
            tag::NULL => self.out.put(b"null")?,
            tag::TRUE => self.out.put(b"true")?,
            tag::FALSE => self.out.put(b"false")?,
            tag::INT32 => {
                let value = self.input.int32()?;
                self.out.put_number(f64::from(value))?;
            }
            tag::UINT32 => {
                let value = self.input.varint()?;
                self.out.put_number(f64::from(value))?;
            }
            tag::DOUBLE => {
                let value = self.input.double()?;
                self.out.put_number(value)?;
            }
            tag::BIG_INT => self.put_big_int()?,
            tag::OBJECT_REFERENCE => {
                let id = self.input.varint()? as usize;
                self.out.repeat(id)?;
            }
            _ => self.object(found)?,
        }
        Ok(Read::Written)
    }

    /// A value that V8 counts as an object.
    fn object(&mut self, found: u8) -> Result<(), Fault> {
        let id = self.out.begin()?;
        match found {
            tag::BEGIN_OBJECT => {
                self.out.put(b"{")?;
                return self.open(Frame::Object { id, empty: true });
            }
            tag::BEGIN_DENSE_ARRAY => {
                let left = self.input.varint()?;
                self.out.put(b"[")?;
                return self.open(Frame::Dense { id, left, empty: true });
            }
            tag::BEGIN_SPARSE_ARRAY => {
                let length = self.input.varint()?;
                self.out.put(b"[")?;
                return self.open(Frame::Sparse { id, next: 0, length });
            }
            tag::HOST_OBJECT => return self.host_object(id),
            tag::BEGIN_MAP => return self.bare(id, Some(Frame::Members { end: tag::END_MAP })),
            tag::BEGIN_SET => return self.bare(id, Some(Frame::Members { end: tag::END_SET })),
            tag::ERROR => return self.bare(id, Some(Frame::Error)),
            tag::REG_EXP => {
                let pattern = self.input.tag()?;
                self.input.string(pattern)?.ok_or(Fault::Malformed)?;
                self.input.varint()?;
                return self.bare(id, None);
            }
            tag::ARRAY_BUFFER | tag::RESIZABLE_ARRAY_BUFFER => {
                let length = self.input.varint()?;
                if found == tag::RESIZABLE_ARRAY_BUFFER {
                    self.input.varint()?;
                }
                self.input.bytes(length)?;
                return self.bare(id, None);
            }
            tag::DATE => match date::to_iso(self.input.double()?) {
                Some(text) => self.out.put_string(Chars::Latin1(text.as_bytes()))?,
                None => self.out.put(b"null")?,
            },
            tag::TRUE_OBJECT => self.out.put(b"true")?,
            tag::FALSE_OBJECT => self.out.put(b"false")?,
            tag::NUMBER_OBJECT => {
                let value = self.input.double()?;
                self.out.put_number(value)?;
            }
            tag::BIG_INT_OBJECT => self.put_big_int()?,
            tag::STRING_OBJECT => {
                let inner = self.input.tag()?;
                let chars = self.input.string(inner)?.ok_or(Fault::Malformed)?;
                self.out.put_string(chars)?;
            }
            _ => return Err(Fault::Malformed),
        }
        self.out.finish(id);
        Ok(())
    }

    fn host_object(&mut self, id: Id) -> Result<(), Fault> {
        match self.input.varint()? {
            tag::HOST_VIEW => {
                let kind = self.input.varint()?;
                let length = self.input.varint()?;
                let data = self.input.bytes(length)?;
                self.out.grow(|out, limit| views::push_view(out, kind, data, limit))?;
                self.out.finish(id);
                Ok(())
            }
            tag::HOST_PLAIN => self.open(Frame::Plain { id, read: false }),
            _ => Err(Fault::Malformed),
        }
    }

    /// An object without visible properties; what `hidden` reads is not shown.
    fn bare(&mut self, id: Id, hidden: Option<Frame>) -> Result<(), Fault> {
        self.out.put(b"{}")?;
        self.out.finish(id);
        hidden.map_or(Ok(()), |frame| self.hide(frame))
    }

    /// A property's key.
    fn index_or_name(&mut self, found: u8) -> Result<Key<'a>, Fault> {
        if let Some(name) = self.input.string(found)? {
            return Ok(Key::Name(name));
        }
        match found {
            tag::INT32 => Ok(Key::Number(f64::from(self.input.int32()?))),
            tag::UINT32 => Ok(Key::Number(f64::from(self.input.varint()?))),
            tag::DOUBLE => Ok(Key::Number(self.input.double()?)),
            _ => Err(Fault::Malformed),
        }
    }

    fn open(&mut self, frame: Frame) -> Result<(), Fault> {
        if self.frames.len() == MAX_DEPTH {
            return Err(Fault::Malformed);
        }
        self.frames.push(frame);
        Ok(())
    }

    /// Opens a frame whose values are not shown.
    fn hide(&mut self, frame: Frame) -> Result<(), Fault> {
        self.open(frame)?;
        self.out.hide();
        Ok(())
    }

    fn put_big_int(&mut self) -> Result<(), Fault> {
        let text = bigint::read(&mut self.input)?;
        self.out.put_string(Chars::Latin1(text.as_bytes()))
    }
}

#[derive(Debug, Clone, Copy)]
enum Key<'a> {
    Name(Chars<'a>),
    Number(f64),
}
