//! Amounts as people write them: `500TB`, `200Mbit/s`.

/// Units of 1,000 and of 1,024, longest first where one ends with another.
const UNITS: [(&str, u64); 12] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("KB", 1_000),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("B", 1),
];

const BITS: [(&str, u64); 3] =
    [("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000)];

/// Bytes, with or without a unit.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let unit = UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let (number, factor) = unit.unwrap_or((text, 1));
    positive(number, factor, 1).ok_or_else(|| "want bytes, as in 500TB or 1.5GiB".to_owned())
}

/// Bytes a second, written in bytes or in bits.
pub(crate) fn rate(text: &str) -> Result<u64, String> {
    let bits = BITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)));
    let found = match (bits, text.strip_suffix("/s")) {
        (Some((number, factor)), _) => positive(number, factor, 8),
        (None, Some(amount)) => bytes(amount).ok(),
        (None, None) => None,
    };
    found.ok_or_else(|| "want a rate, as in 200Mbit/s or 25MB/s".to_owned())
}

/// Whole and parts of a positive number, times the factor, divided.
fn positive(number: &str, factor: u64, divisor: u64) -> Option<u64> {
    let number = number.trim_end();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.len() <= 18 && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let number: u128 = format!("{whole}{fraction}").parse().ok()?;
    let amount = number.checked_mul(u128::from(factor))? / scale / u128::from(divisor);
    u64::try_from(amount).ok().filter(|amount| *amount > 0)
}

/// Bytes in decimal units, as stores and prices count them.
pub(crate) fn shown(bytes: u64) -> String {
    let largest = UNITS[5..11].iter().rev().find(|(_, factor)| bytes >= *factor);
    match largest {
        Some((unit, factor)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(*factor);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_they_are_written() {
        for (text, want) in [
            ("500TB", 500_000_000_000_000),
            ("1.5GiB", 3 << 29),
            ("12", 12),
            ("0.5 KB", 500),
            ("1B", 1),
        ] {
            assert_eq!(bytes(text), Ok(want), "{text}");
        }
        for (text, want) in [("200Mbit/s", 25_000_000), ("25MB/s", 25_000_000), ("1B/s", 1)] {
            assert_eq!(rate(text), Ok(want), "{text}");
        }
        for text in ["", "TB", "-1TB", "0", "1e3", "99999999999999PB", "1.2.3MB", "much"] {
            assert!(bytes(text).unwrap_err().contains("500TB"), "{text}");
        }
        for text in ["200", "200Mbit", "0MB/s", "MB/s"] {
            assert!(rate(text).unwrap_err().contains("Mbit/s"), "{text}");
        }
    }

    #[test]
    fn amounts_are_shown_in_the_units_of_price_lists() {
        let shown = [999, 1_000, 25_000_000, 500_000_000_000_000].map(shown);
        assert_eq!(shown, ["999 B", "1.0 kB", "25.0 MB", "500.0 TB"]);
    }
}
