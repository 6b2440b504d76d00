//! What users write: sizes, amounts and codecs are read or refused, and what is printed is read back the same.

use super::input::Input;
use spillpipe::codec::Choice;
use spillpipe::units::{Amount, ByteSize, COMPACT_CHARS_MAX, compact, human};

/// Any text as a size, an amount, a codec; and any number as what is printed of it.
pub(crate) fn sizes(data: &[u8]) {
    let n = u64::from_le_bytes(std::array::from_fn(|i| data.get(i).copied().unwrap_or(0)));
    printed(n);
    printed(n >> (Input(data).byte() % 64));
    // Bytes that are no UTF-8 do not get as far as here.
    let text = String::from_utf8_lossy(data);
    if let Ok(size) = text.parse::<ByteSize>() {
        assert_eq!(text.parse(), Ok(Amount::Bytes(size.0)));
        near(&text, size.0);
        printed(size.0);
    }
    if let Ok(amount) = text.parse::<Amount>() {
        assert_eq!(amount.to_string().parse(), Ok(amount));
        if let Amount::Percent(percent) = amount {
            assert!((0.0..=100.0).contains(&percent));
        }
    }
    if let Ok(choice) = text.parse::<Choice>() {
        assert_eq!(choice.to_string().parse(), Ok(choice));
    }
}

fn printed(n: u64) {
    assert_eq!(ByteSize(n).to_string().parse(), Ok(ByteSize(n)));
    assert!(compact(n).len() <= COMPACT_CHARS_MAX && human(n).is_ascii());
}

/// The same in floating point, by another way.
fn near(text: &str, bytes: u64) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().expect("a number");
    let unit = text[end..].chars().next().unwrap_or('B').to_ascii_uppercase();
    let power = "BKMGTPE".find(unit).expect("a unit");
    let expected = number * 1024_f64.powi(i32::try_from(power).expect("at most 6"));
    #[expect(clippy::cast_precision_loss, reason = "it is compared to nine figures")]
    let found = bytes as f64;
    assert!((found - expected).abs() <= 1.0 + expected * 1e-9, "{text} is {bytes}");
}
