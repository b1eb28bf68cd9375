//! BigInts in JSON, which has none: a string that JavaScript's `BigInt(…)` reads back. Never takes quadratic time.

use super::{decode::Fault, read::Reader};

/// Longest magnitude that is written in decimal, in bytes; longer ones are hexadecimal. The conversion is quadratic, and
/// at this length 64 MiB of them still take about a second.
const MAX_DECIMAL_BYTES: usize = 512;

/// Reads a BigInt and gives its text, `-12`; beyond 2^4096, `0x…` (`-0x…`).
pub(super) fn read(input: &mut Reader<'_>) -> Result<String, Fault> {
    let field = input.varint()?;
    // The lowest bit is the sign, the others count the bytes.
    let magnitude = input.bytes(field >> 1)?;
    Ok(to_text(field & 1 == 1, magnitude))
}

/// The text of a little-endian magnitude.
pub(super) fn to_text(negative: bool, magnitude: &[u8]) -> String {
    let used = magnitude.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let magnitude = &magnitude[..used];
    let mut text = String::new();
    if negative && used > 0 {
        text.push('-');
    }
    if used > MAX_DECIMAL_BYTES {
        text.reserve(used * 2 + 2);
        text.push_str("0x");
        for byte in magnitude.iter().rev() {
            for nibble in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(u32::from(nibble), 16));
            }
        }
        return text;
    }
    push_decimal(&mut text, magnitude);
    text
}

fn push_decimal(text: &mut String, magnitude: &[u8]) {
    const BILLION: u64 = 1_000_000_000;
    let mut limbs: Vec<u32> = magnitude
        .chunks(4)
        .map(|chunk| chunk.iter().rev().fold(0, |limb, &byte| limb << 8 | u32::from(byte)))
        .collect();
    // Nine digits per round, the lowest first.
    let mut groups = Vec::new();
    while limbs.last().is_some() {
        let mut remainder = 0;
        for limb in limbs.iter_mut().rev() {
            let value = remainder << 32 | u64::from(*limb);
            // Below 2^32, because the remainder is below the divisor.
            *limb = (value / BILLION) as u32;
            remainder = value % BILLION;
        }
        groups.push(remainder);
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
    }
    let mut groups = groups.into_iter().rev();
    text.push_str(&groups.next().unwrap_or(0).to_string());
    for group in groups {
        text.push_str(&format!("{group:09}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_number() {
        for value in [0u128, 1, 9, 999_999_999, 1_000_000_000, 1 << 64, u128::MAX, 10u128.pow(38), 10u128.pow(27) + 5] {
            assert_eq!(to_text(false, &value.to_le_bytes()), value.to_string());
        }
        assert_eq!(to_text(true, &7u64.to_le_bytes()), "-7");
        assert_eq!(to_text(true, &0u64.to_le_bytes()), "0");
        assert_eq!(to_text(false, &[]), "0");
    }

    #[test]
    fn a_huge_one_is_hexadecimal() {
        let text = to_text(true, &[0x1f; MAX_DECIMAL_BYTES + 1]);
        assert_eq!(text, format!("-0x{}", "1f".repeat(MAX_DECIMAL_BYTES + 1)));
    }
}
