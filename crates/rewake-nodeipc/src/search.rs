//! Finds bytes quickly: blocks that the compiler turns into vector instructions. Never reads a byte twice in vain.

/// Bytes looked at together. Two or four vector registers on the machines we run on.
const BLOCK: usize = 64;

/// Where the first newline is.
pub(crate) fn newline(bytes: &[u8]) -> Option<usize> {
    first(bytes, |byte| byte == b'\n')
}

/// Where the characters end that stand for themselves in a JSON string: the first quote, backslash or control character.
pub(crate) fn end_of_plain(bytes: &[u8]) -> Option<usize> {
    first(bytes, |byte| byte == b'"' || byte == b'\\' || byte < 0x20)
}

/// Like [`end_of_plain`], and non-ASCII ends it too.
pub(crate) fn end_of_plain_ascii(bytes: &[u8]) -> Option<usize> {
    first(bytes, |byte| byte == b'"' || byte == b'\\' || !(0x20..0x80).contains(&byte))
}

#[inline(always)]
fn first(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    // Most strings are short: a few single steps cost less than the first block.
    let near = bytes.len().min(16);
    if let Some(at) = bytes[..near].iter().position(|&byte| wanted(byte)) {
        return Some(at);
    }
    let far = &bytes[near..];
    // No early exit within a block: that is what lets it become vector code.
    let clear =
        far.chunks_exact(BLOCK).take_while(|block| !block.iter().fold(false, |hit, &byte| hit | wanted(byte))).count()
            * BLOCK;
    far[clear..].iter().position(|&byte| wanted(byte)).map(|at| near + clear + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found() {
        for length in 0..300 {
            let mut bytes = vec![b'x'; length];
            assert_eq!(newline(&bytes), None);
            for at in (0..length).rev() {
                bytes[at] = b'\n';
                assert_eq!(newline(&bytes), Some(at));
                assert_eq!(end_of_plain(&bytes), Some(at));
                assert_eq!(end_of_plain_ascii(&bytes), Some(at));
            }
        }
    }

    #[test]
    fn only_what_must_be_escaped_ends_a_plain_run() {
        for byte in 0..=u8::MAX {
            let must = byte < 0x20 || byte == b'"' || byte == b'\\';
            assert_eq!(end_of_plain(&[byte]).is_some(), must, "{byte:#x}");
            assert_eq!(end_of_plain_ascii(&[byte]).is_some(), must || byte >= 0x80, "{byte:#x}");
        }
    }
}
