//! A cursor over serialized bytes. Never reads past the end: every read may fail.

use super::{decode::Fault, tag};

/// Where the reading stands.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        let (&byte, rest) = self.rest.split_first().ok_or(Fault::Malformed)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn bytes(&mut self, count: u32) -> Result<&'a [u8], Fault> {
        let (bytes, rest) = self.rest.split_at_checked(count as usize).ok_or(Fault::Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A base-128 number, least significant part first. Bits over 32 are dropped, as V8 does.
    pub(super) fn varint(&mut self) -> Result<u32, Fault> {
        let mut value = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            if shift < 32 {
                value |= u32::from(byte & 0x7f) << shift;
                shift += 7;
            }
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
    }

    pub(super) fn int32(&mut self) -> Result<i32, Fault> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    pub(super) fn double(&mut self) -> Result<f64, Fault> {
        let (bytes, rest) = self.rest.split_first_chunk::<8>().ok_or(Fault::Malformed)?;
        self.rest = rest;
        Ok(f64::from_le_bytes(*bytes))
    }

    /// The next tag, past padding.
    pub(super) fn tag(&mut self) -> Result<u8, Fault> {
        loop {
            match self.byte()? {
                tag::PADDING => {}
                found => return Ok(found),
            }
        }
    }

    /// Whether `wanted` is the next tag; it is consumed then, and only then.
    pub(super) fn is_next(&mut self, wanted: u8) -> Result<bool, Fault> {
        let before = self.clone();
        if self.tag()? == wanted {
            return Ok(true);
        }
        *self = before;
        Ok(false)
    }

    /// The string of this tag; `None` when the tag is not one of a string.
    pub(super) fn string(&mut self, found: u8) -> Result<Option<Chars<'a>>, Fault> {
        Ok(Some(match found {
            tag::ONE_BYTE_STRING => {
                let length = self.varint()?;
                Chars::Latin1(self.bytes(length)?)
            }
            tag::TWO_BYTE_STRING => {
                let length = self.varint()?;
                if length % 2 != 0 {
                    return Err(Fault::Malformed);
                }
                Chars::Utf16(self.bytes(length)?)
            }
            tag::UTF8_STRING => {
                let length = self.varint()?;
                Chars::Utf8(self.bytes(length)?)
            }
            _ => return Ok(None),
        }))
    }
}

/// A string as it was serialized.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chars<'a> {
    Latin1(&'a [u8]),
    /// Little-endian pairs of bytes.
    Utf16(&'a [u8]),
    Utf8(&'a [u8]),
}
