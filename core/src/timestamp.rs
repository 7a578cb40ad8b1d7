//! [`Timestamp`], a moment to the millisecond.

use crate::Problem;
use crate::error::quoted;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment in UTC, to the millisecond; written and read as RFC 3339, years 0 to 9999.
///
/// ```
/// use connectory::Timestamp;
///
/// let at: Timestamp = "2025-01-15T11:30:00.5+01:00".parse()?;
/// assert_eq!(at.to_string(), "2025-01-15T10:30:00.5Z");
/// # Ok::<(), connectory::Problem>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The moment `ms` milliseconds after 1970; `None` outside the years 0 to 9999.
    pub fn from_unix_ms(ms: i64) -> Option<Self> {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).ok()?;
        (0..=9999).contains(&moment.year()).then_some(Self(moment))
    }

    /// Milliseconds since 1970.
    pub fn unix_ms(self) -> i64 {
        let ms = self.0.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(ms).unwrap_or(i64::MAX)
    }
}

impl FromStr for Timestamp {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        OffsetDateTime::parse(text, &Rfc3339)
            .ok()
            .and_then(|moment| {
                let ms = moment.unix_timestamp_nanos().div_euclid(1_000_000);
                Self::from_unix_ms(i64::try_from(ms).ok()?)
            })
            .ok_or_else(|| {
                Problem::value(format!(
                    "{} is not a date and time; send RFC 3339, such as \"2025-01-15T10:30:00Z\"",
                    quoted(text)
                ))
            })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only years outside 0 to 9999 cannot be formatted, and no value holds one.
        out.write_str(&self.0.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_kept_to_the_millisecond_in_utc() {
        for (text, normal) in [
            ("2025-01-15T10:30:00Z", "2025-01-15T10:30:00Z"),
            ("2025-01-15t10:30:00.123456z", "2025-01-15T10:30:00.123Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
            ("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            let moment: Timestamp = text.parse().unwrap();
            assert_eq!(moment.to_string(), normal);
            assert_eq!(Timestamp::from_unix_ms(moment.unix_ms()), Some(moment));
        }
        for bad in ["", "2025-01-15", "2025-01-15 10:30", "2025-02-30T00:00:00Z", "yesterday"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }
}
