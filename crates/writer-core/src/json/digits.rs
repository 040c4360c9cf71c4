//! Decimal digits, written straight to their place.
//!
//! Against a number formatted elsewhere and copied this spares the copy of a length that is known
//! only at run time, which for short numbers is dearer than the digits.

/// `0` in each byte.
const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);

const EIGHT_DIGITS: u64 = 100_000_000;

/// The eight decimal digits of a number below 100 000 000, one a byte, the first in the lowest.
///
/// Halves, quarters and digits are split in all places of the word at once. The divisions are
/// multiplications by a rounded reciprocal, exact for the few digits that each place holds.
#[inline]
const fn eight(number: u64) -> u64 {
    let quads = (number / 10_000) | ((number % 10_000) << 32);
    let high = ((quads * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let pairs = high | ((quads - 100 * high) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | ((pairs - 10 * tens) << 8)
}

/// The six decimal digits of a number below 1 000 000 as text, and two characters behind them.
#[inline]
pub(super) const fn six_and(number: u32, end: [u8; 2]) -> [u8; 8] {
    let end = ((end[0] as u64) << 48) | ((end[1] as u64) << 56);
    (((eight(number as u64) | ZEROS) >> 16) | end).to_le_bytes()
}

/// Writes the digits of a number without leading zeros and returns how many there are.
#[inline]
pub(super) fn unsigned(space: &mut [u8; 32], number: u64) -> usize {
    if number < EIGHT_DIGITS { first(space, 0, number) } else { long(space, 0, number) }
}

/// As [`unsigned`], with a sign before a negative number.
#[inline]
pub(super) fn signed(space: &mut [u8; 32], number: i64) -> usize {
    if number >= 0 {
        return unsigned(space, number.unsigned_abs());
    }
    space[0] = b'-';
    long(space, 1, number.unsigned_abs())
}

#[inline(never)]
fn long(space: &mut [u8; 32], at: usize, number: u64) -> usize {
    if number < EIGHT_DIGITS {
        return first(space, at, number);
    }
    let end = long(space, at, number / EIGHT_DIGITS);
    put(space, end, eight(number % EIGHT_DIGITS) | ZEROS);
    end + 8
}

/// Writes a number below 100 000 000 without leading zeros; returns where it ends.
#[inline]
fn first(space: &mut [u8; 32], at: usize, number: u64) -> usize {
    let digits = eight(number);
    // The mark keeps the last digit of zero.
    let zeros = (digits | (1 << 56)).trailing_zeros() & !7;
    put(space, at, (digits | ZEROS) >> zeros);
    at + 8 - (zeros / 8) as usize
}

#[inline]
fn put(space: &mut [u8; 32], at: usize, text: u64) {
    space[at..at + 8].copy_from_slice(&text.to_le_bytes());
}

/// Writes a number below 100 000 with at most three decimals, as durations and prices often are,
/// and returns how many bytes that takes; 0, with anything written to the space, if it is another.
///
/// These are the shortest digits that read back as the same number, as `zmij` finds them for any: a
/// decimal number of at most 15 digits is the only one of that length that reads back as its `f64`
/// (`f64::DIGITS`), so if one with three decimals does, its digits without the last zeros are they.
#[inline]
pub(super) fn thousandths(space: &mut [u8; 32], number: f64) -> usize {
    let size = number.abs();
    // What is not a number is equal to none.
    let thousandths = (size * 1000.0 + 0.5) as u32;
    if thousandths >= EIGHT_DIGITS as u32 || f64::from(thousandths) / 1000.0 != size {
        return 0;
    }
    let digits = eight(u64::from(thousandths));
    // The mark keeps the last digit before the point.
    let zeros = (digits | (1 << 32)).trailing_zeros() & !7;
    let point = 5 - (zeros / 8) as usize;
    let decimals = (digits >> 40) as u32;
    let kept = 4 - (decimals | 1).leading_zeros() as usize / 8;
    let minus = usize::from(number.is_sign_negative());
    space[0] = b'-';
    put(space, minus, (digits | ZEROS) >> zeros);
    let fraction = (decimals | (ZEROS >> 40) as u32) << 8 | u32::from(b'.');
    let at = minus + point;
    space[at..at + 4].copy_from_slice(&fraction.to_le_bytes());
    at + 1 + kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut [u8; 32]) -> usize) -> String {
        let mut space = [b'x'; 32];
        let len = write(&mut space);
        String::from_utf8(space[..len].to_vec()).unwrap()
    }

    #[test]
    fn digits_are_those_that_the_standard_library_prints() {
        let powers = (0..20).map(|exponent| 10u64.pow(exponent));
        let edges =
            powers.flat_map(|power| (0..12).map(move |by| power.wrapping_add(by).wrapping_sub(6)));
        let spread = (0..10_000u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (n % 64));
        for number in (0..20_000).chain(edges).chain(spread).chain([u64::MAX]) {
            assert_eq!(text(|space| unsigned(space, number)), number.to_string());
            for number in [number as i64, (number as i64).wrapping_neg()] {
                assert_eq!(text(|space| signed(space, number)), number.to_string());
            }
        }
        assert_eq!(text(|space| signed(space, i64::MIN)), i64::MIN.to_string());
    }

    #[test]
    fn few_decimals_are_those_that_are_shortest() {
        let edges =
            [0.0, 0.001, 0.0005, 0.1 + 0.2, 99_999.999, 99_999.999_5, 100_000.0, 1e-9, 1e300];
        let odd = [f64::MIN_POSITIVE, f64::NAN, f64::INFINITY, 5e-324, 0.125, 1.0005, 2.675];
        let grid = (0..200_000u32).map(|n| f64::from(n.wrapping_mul(2_654_435_761) % 100_000_000));
        let grid = grid.flat_map(|n| [n / 1000.0, n / 10_000.0, (n / 1000.0).next_up(), n]);
        let mut short = 0;
        for number in grid.chain(edges).chain(odd).flat_map(|number| [number, -number]) {
            let mut space = [b'x'; 32];
            match thousandths(&mut space, number) {
                0 => {}
                len => {
                    short += 1;
                    let text = std::str::from_utf8(&space[..len]).unwrap();
                    assert_eq!(text, zmij::Buffer::new().format(number));
                }
            }
        }
        assert!(short > 400_000, "{short}");
    }

    #[test]
    fn every_group_of_eight_digits_is_split_exactly() {
        // Each step looks at four digits alone, so all fours in both halves are all there is.
        for four in 0..10_000u64 {
            for number in [four, four * 10_000 + 9999 - four, four * 10_000] {
                let digits = (eight(number) | ZEROS).to_le_bytes();
                assert_eq!(std::str::from_utf8(&digits).unwrap(), format!("{number:08}"));
            }
        }
        assert_eq!(six_and(42, *b"Z\""), *b"000042Z\"");
        assert_eq!(six_and(999_999, *b"Z\""), *b"999999Z\"");
    }
}
