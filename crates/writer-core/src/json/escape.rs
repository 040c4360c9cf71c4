//! Which characters of a string are escaped, and how.
//!
//! Besides what [RFC 8259 section 7](https://www.rfc-editor.org/rfc/rfc8259#section-7) demands,
//! everything that could steer a terminal or forge a line is escaped: DEL, the C1 controls, the
//! line separators U+2028 and U+2029, and what Unicode calls `Bidi_Control`: U+061C, U+200E,
//! U+200F, U+202A to U+202E and U+2066 to U+2069 ([UAX
//! 9](https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters)). The escaped form of
//! a string is unique, so two strings are equal exactly when their escaped forms are.

use super::buf::Buf;

/// The longest escaped form of one byte of input, in bytes: `\u001b`.
pub(super) const WORST: usize = 6;

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Bytes at which an escape may begin. 0xC2 leads U+0080 to U+00BF, 0xD8 leads U+0600 to U+063F,
/// 0xE2 leads U+2000 to U+2FFF.
const ATTENTION: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = true;
        byte += 1;
    }
    table[b'"' as usize] = true;
    table[b'\\' as usize] = true;
    table[0x7F] = true;
    table[0xC2] = true;
    table[0xD8] = true;
    table[0xE2] = true;
    table
};

/// Says whether a word holds a byte that is not plain ASCII: eight bytes at once.
///
/// The source of the byte tests is "Bit Twiddling Hacks",
/// <https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>. A borrow can spill into the
/// next byte only from a byte that is itself a hit, so the answer for the whole word is exact.
#[inline]
const fn hit(word: u64) -> u64 {
    let control = word.wrapping_sub(ONES * 0x20);
    let quote = (word ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    let delete = word.wrapping_add(ONES);
    (word | control | quote | backslash | delete) & HIGH
}

/// Says whether the bytes are printable ASCII without quote and backslash.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        // The last word overlaps the one before, which spares a loop over the rest.
        let mut found = hit(u64::from_le_bytes(*first)) | hit(u64::from_le_bytes(*last));
        if bytes.len() > 16 {
            let (words, _) = bytes.as_chunks::<8>();
            found |= words.iter().fold(0, |found, &word| found | hit(u64::from_le_bytes(word)));
        }
        found == 0
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let first = u64::from(u32::from_le_bytes(*first));
        hit(first << 32 | u64::from(u32::from_le_bytes(*last))) == 0
    } else {
        bytes.iter().all(|&byte| byte < 0x80 && !ATTENTION[byte as usize])
    }
}

/// Copies a text of at most 32 bytes that needs no escaping to the beginning of the space; false,
/// with anything written there, if it is another.
///
/// Against [`is_plain`] and a copy this reads the text once, in pieces that overlap.
#[inline(always)]
pub(super) fn copy_plain(space: &mut [u8; 32], bytes: &[u8]) -> bool {
    let len = bytes.len();
    if let (8..=16, Some(first), Some(last)) =
        (len, bytes.first_chunk::<8>(), bytes.last_chunk::<8>())
    {
        space[..8].copy_from_slice(first);
        space[len - 8..len].copy_from_slice(last);
        pair_plain(u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else if let (17..=32, Some(first), Some(last)) =
        (len, bytes.first_chunk::<16>(), bytes.last_chunk::<16>())
    {
        space[..16].copy_from_slice(first);
        space[len - 16..len].copy_from_slice(last);
        sixteen_plain(first) & sixteen_plain(last)
    } else if let (4..8, Some(first), Some(last)) =
        (len, bytes.first_chunk::<4>(), bytes.last_chunk::<4>())
    {
        space[..4].copy_from_slice(first);
        space[len - 4..len].copy_from_slice(last);
        let first = u64::from(u32::from_le_bytes(*first));
        hit(first << 32 | u64::from(u32::from_le_bytes(*last))) == 0
    } else if len < 4 {
        space.iter_mut().zip(bytes).for_each(|(to, &byte)| *to = byte);
        bytes.iter().all(|&byte| byte < 0x80 && !ATTENTION[byte as usize])
    } else {
        false
    }
}

/// Says whether sixteen bytes are plain, as [`is_plain`] does.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(unsafe_code, reason = "what looks at sixteen bytes at once has no safe wrapper")]
fn pair_plain(first: u64, last: u64) -> bool {
    use std::arch::x86_64::{
        _mm_cmpeq_epi8, _mm_max_epu8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x,
        _mm_set1_epi8, _mm_sub_epi8,
    };
    // SAFETY: all of these are instructions of SSE2, which is part of the architecture.
    unsafe {
        let bytes = _mm_set_epi64x(last as i64, first as i64);
        let shifted = _mm_sub_epi8(bytes, _mm_set1_epi8(0x20));
        let outside = _mm_cmpeq_epi8(_mm_max_epu8(shifted, _mm_set1_epi8(0x5F)), shifted);
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        _mm_movemask_epi8(_mm_or_si128(outside, _mm_or_si128(quote, backslash))) == 0
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn pair_plain(first: u64, last: u64) -> bool {
    hit(first) | hit(last) == 0
}

/// As [`is_plain`]; the compiler makes a few instructions of it that look at all bytes at once.
#[inline(always)]
fn sixteen_plain(bytes: &[u8; 16]) -> bool {
    let special = |byte: u8| byte.wrapping_sub(0x20) > 0x5E || byte == b'"' || byte == b'\\';
    !bytes.iter().fold(false, |found, &byte| found | special(byte))
}

/// What stands at a byte of [`ATTENTION`]: the code point to escape and its length in the input,
/// or `None` for a harmless character.
fn escape_at(bytes: &[u8], at: usize) -> Option<(u16, usize)> {
    match bytes[at..] {
        [0xC2, second @ 0x80..=0x9F, ..] => Some((u16::from(second), 2)),
        [0xD8, 0x9C, ..] => Some((0x061C, 2)),
        [0xE2, 0x80, third @ (0x8E | 0x8F), ..] => Some((0x2000 + u16::from(third & 0x3F), 3)),
        [0xE2, 0x80, third @ 0xA8..=0xAE, ..] => Some((0x2000 + u16::from(third & 0x3F), 3)),
        [0xE2, 0x81, third @ 0xA6..=0xA9, ..] => Some((0x2040 + u16::from(third & 0x3F), 3)),
        [0xC2 | 0xD8 | 0xE2, ..] | [] => None,
        [byte, ..] => Some((u16::from(byte), 1)),
    }
}

const fn short(code: u16) -> Option<u8> {
    Some(match code {
        0x08 => b'b',
        0x09 => b't',
        0x0A => b'n',
        0x0C => b'f',
        0x0D => b'r',
        0x22 => b'"',
        0x5C => b'\\',
        _ => return None,
    })
}

/// Appends the escaped form of a string, without quotes.
#[inline]
pub(super) fn push(buf: &mut Buf, text: &str) {
    let bytes = text.as_bytes();
    if is_plain(bytes) {
        buf.extend_from_slice(bytes);
    } else {
        push_runs(buf, bytes);
    }
}

#[cold]
fn push_runs(buf: &mut Buf, bytes: &[u8]) {
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        if !ATTENTION[bytes[at] as usize] {
            at += 1;
            continue;
        }
        let Some((code, len)) = escape_at(bytes, at) else {
            at += 1;
            continue;
        };
        buf.extend_from_slice(&bytes[copied..at]);
        match short(code) {
            Some(letter) => buf.extend_from_slice(&[b'\\', letter]),
            None => {
                let [a, b] = code.to_be_bytes();
                let [a, b] = [hex(a), hex(b)];
                buf.extend_from_slice(&[b'\\', b'u', a[0], a[1], b[0], b[1]]);
            }
        }
        at += len;
        copied = at;
    }
    buf.extend_from_slice(&bytes[copied..]);
}

/// The text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    let mut buf = Buf::default();
    buf.push(b'"');
    push(&mut buf, text);
    buf.push(b'"');
    String::from_utf8_lossy(&buf).into_owned()
}

/// The length of the escaped form, in bytes.
pub(super) fn len(text: &str) -> usize {
    let bytes = text.as_bytes();
    if is_plain(bytes) {
        return bytes.len();
    }
    let mut total = bytes.len();
    for (at, &byte) in bytes.iter().enumerate() {
        if ATTENTION[byte as usize]
            && let Some((code, len)) = escape_at(bytes, at)
        {
            total += if short(code).is_some() { 2 } else { WORST } - len;
        }
    }
    total
}

/// The two lower-case hexadecimal digits of a byte.
#[inline]
pub(super) const fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]
}
