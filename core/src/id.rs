//! [`ConnectionId`], 128 bits that rise within a store and name their shard, and [`Stamp`], what they are made of.

use crate::ProfileName;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The ID of a connection: `ma_` and 26 characters of lower-case Crockford base32.
///
/// From the top: 48 bits of Unix milliseconds, never less than the store's last; 64 bits of order,
/// random in a new millisecond and a random step above the last one within it; 16 bits of
/// [route](ProfileName::route). So the IDs of one store rise strictly, and both an ID and a profile
/// tell which shard holds the connection. To everyone else they are opaque: the only use of a parse
/// error is to answer "not found".
///
/// ```
/// use connectory::ConnectionId;
///
/// let text = "ma_01jd3k0000abcdefghjkmnpqrs";
/// let id: ConnectionId = text.parse()?;
/// assert_eq!(id.to_string(), text);
/// assert!("ma_01JD3K0000ABCDEFGHJKMNPQRS".parse::<ConnectionId>().is_err());
/// # Ok::<(), connectory::NotAnId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u128);

const ALPHABET: [u8; 32] = *b"0123456789abcdefghjkmnpqrstvwxyz";
const PREFIX: &str = "ma_";
/// What each byte stands for as a digit.
const VALUES: [Option<u8>; 256] = values();

#[expect(clippy::indexing_slicing, reason = "it is done once, while this is compiled")]
const fn values() -> [Option<u8>; 256] {
    let mut values = [None; 256];
    let mut value = 0;
    while value < 32 {
        values[ALPHABET[value as usize] as usize] = Some(value);
        value += 1;
    }
    values
}

/// Characters after the prefix: 130 bits, of which the top two are zero.
const DIGITS: usize = 26;
/// Milliseconds are kept in this many bits.
const MS_MAX: u64 = (1 << 48) - 1;

impl ConnectionId {
    /// The milliseconds since 1970 at which the connection was created, by the store's clock.
    pub fn unix_ms(self) -> u64 {
        u64::try_from(self.0 >> 80).unwrap_or(MS_MAX)
    }

    /// The route of the profile, which tells the shard.
    pub fn route(self) -> u16 {
        low_u16(low_u64(self.0))
    }

    pub(crate) fn order(self) -> u64 {
        low_u64(self.0 >> 16)
    }

    /// The ID as it is stored: big-endian, so that bytes sort as IDs do.
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(u128::from_be_bytes(bytes.try_into().ok()?)))
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; PREFIX.len() + DIGITS];
        let (prefix, digits) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        // Twelve digits at a time: 128 bits are slow to shift where words are shorter.
        let mut rest = self.0;
        for digits in digits.rchunks_mut(12) {
            let mut bits = low_u64(rest);
            for digit in digits.iter_mut().rev() {
                *digit = ALPHABET.get((bits & 31) as usize).copied().unwrap_or(b'0');
                bits >>= 5;
            }
            rest >>= 60;
        }
        out.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The text is not a connection ID, so no connection has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not a connection ID: \"ma_\" and 26 of 0-9 a-h j k m n p-t v-z")
    }
}

impl std::error::Error for NotAnId {}

impl FromStr for ConnectionId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.strip_prefix(PREFIX).ok_or(NotAnId)?.as_bytes();
        if digits.len() != DIGITS || digits.first().is_none_or(|&first| first > b'7') {
            return Err(NotAnId);
        }
        let mut bits = 0;
        for byte in digits {
            let value = VALUES.get(usize::from(*byte)).copied().flatten().ok_or(NotAnId)?;
            bits = bits << 5 | u128::from(value);
        }
        Ok(Self(bits))
    }
}

impl Serialize for ConnectionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ProfileName {
    /// The 16 bits by which connections are spread over shards: FNV-1a-64 of the name's bytes, xor-folded.
    pub fn route(&self) -> u16 {
        let hash = self.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        low_u16((hash >> 48) ^ (hash >> 32) ^ (hash >> 16) ^ hash)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the upper bits are meant to go")]
fn low_u64(bits: u128) -> u64 {
    bits as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the upper bits are meant to go")]
fn low_u16(bits: u64) -> u16 {
    bits as u16
}

/// When a connection is created and what makes its ID hard to guess; an input, so that tests can fix it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970. May jump back; IDs will not.
    pub now_ms: u64,
    /// Random bits.
    pub random: u64,
}

/// A source of [`Stamp`]s. Any `Fn() -> Stamp` is one.
pub trait Stamps: Send + Sync {
    /// Takes the next stamp: one for every connection that is created, in their order, by whichever caller writes for
    /// all who wait.
    fn stamp(&self) -> Stamp;

    /// 64 random bits for a log, whose contents must not be guessed; of a stamp unless there is another source.
    fn salt(&self) -> u64 {
        self.stamp().random
    }
}

impl<F: Fn() -> Stamp + Send + Sync> Stamps for F {
    fn stamp(&self) -> Stamp {
        self()
    }
}

/// Stamps from the system's clock and its random number generator.
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemStamps;

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
impl Stamps for SystemStamps {
    fn stamp(&self) -> Stamp {
        let since_1970 =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(since_1970.as_millis()).unwrap_or(MS_MAX);
        // Without a generator IDs can be guessed from the clock, but still never collide.
        let random =
            getrandom::u64().unwrap_or_else(|_| u64::from(since_1970.subsec_nanos()) << 20);
        Stamp { now_ms, random }
    }
}

/// The last ID that a store gave out: what makes the next one greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LastId {
    pub(crate) ms: u64,
    pub(crate) order: u64,
}

impl LastId {
    /// Makes the next ID, greater than every one before it whatever the clock says; `None` where no greater one
    /// exists, after a dump with the greatest of all.
    pub(crate) fn next(&mut self, stamp: Stamp, profile: &ProfileName) -> Option<ConnectionId> {
        let now_ms = stamp.now_ms.min(MS_MAX);
        let step = 1 + (stamp.random & u64::from(u32::MAX));
        let next = match self.order.checked_add(step) {
            Some(order) if now_ms <= self.ms => Self { ms: self.ms, order },
            _ => Self { ms: now_ms.max(self.ms + 1), order: stamp.random >> 1 },
        };
        if next.ms > MS_MAX {
            return None;
        }
        *self = next;
        let bits = u128::from(next.ms) << 80 | u128::from(next.order) << 16;
        Some(ConnectionId(bits | u128::from(profile.route())))
    }

    /// Moves up to `id`, if it is greater.
    pub(crate) fn raise_to(&mut self, id: ConnectionId) {
        if (id.unix_ms(), id.order()) > (self.ms, self.order) {
            *self = Self { ms: id.unix_ms(), order: id.order() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn profile(name: &str) -> ProfileName {
        name.parse().unwrap()
    }

    /// A change of these bytes is a change of the format.
    #[test]
    fn ids_are_the_frozen_bytes() {
        for fixture in fixtures::of_kind("id") {
            let id: ConnectionId = fixture.text("text").parse().unwrap();
            assert_eq!(id.to_bytes(), *fixture.bytes, "{}", fixture.name);
            assert_eq!(id.to_string(), fixture.text("text"));
            let parts = (id.unix_ms(), id.order(), u64::from(id.route()));
            assert_eq!(
                parts,
                (fixture.number("unix_ms"), fixture.number("order"), fixture.number("route"))
            );
            if let Some(name) = fixture.means["profile_name"].as_str() {
                assert_eq!(u64::from(profile(name).route()), fixture.number("route"));
            }
        }
    }

    #[test]
    fn the_layout_is_as_documented() {
        let mut last = LastId::default();
        let id =
            last.next(Stamp { now_ms: 0x0123_4567_89ab, random: u64::MAX }, &profile("a")).unwrap();
        assert_eq!(id.unix_ms(), 0x0123_4567_89ab);
        assert_eq!(id.order(), u64::MAX >> 1, "the top bit is clear in a new millisecond");
        // FNV-1a-64 of "a" is af63dc4c8601ec8c.
        assert_eq!(id.route(), 0xaf63 ^ 0xdc4c ^ 0x8601 ^ 0xec8c);
        assert_eq!(ConnectionId::from_bytes(&id.to_bytes()), Some(id));
        assert_eq!(id.to_string(), "ma_014d2pf2dbfzzzzzzzzzzzy6d2");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn ids_rise_within_a_millisecond_and_over_a_clock_that_jumps_back() {
        let mut last = LastId::default();
        let profile = profile("p");
        let mut before = last.next(Stamp { now_ms: 1000, random: 7 }, &profile).unwrap();
        for (now_ms, random) in [(1000, 0), (1000, u64::MAX), (999, 0), (0, u64::MAX), (1001, 0)] {
            let id = last.next(Stamp { now_ms, random }, &profile).unwrap();
            assert!(id > before);
            before = id;
        }
        assert_eq!(before.unix_ms(), 1001);
    }

    #[test]
    fn a_millisecond_that_is_full_borrows_from_the_next() {
        let mut last = LastId { ms: 5, order: u64::MAX };
        let id = last.next(Stamp { now_ms: 3, random: 9 }, &profile("p")).unwrap();
        assert_eq!((id.unix_ms(), id.order()), (6, 4));
    }

    #[test]
    fn only_the_canonical_text_is_an_id() {
        let good = "ma_7zzzzzzzzzzzzzzzzzzzzzzzzz";
        assert_eq!(good.parse::<ConnectionId>().unwrap().to_string(), good);
        for bad in [
            "",
            "ma_",
            "7zzzzzzzzzzzzzzzzzzzzzzzzz",
            "ma_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "ma_7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "ma_7zzzzzzzzzzzzzzzzzzzzzzzzi",
            "ma_7zzzzzzzzzzzzzzzzzzzzzzzz",
            "ma_7zzzzzzzzzzzzzzzzzzzzzzzzzz",
            "ma_abc123xyz",
        ] {
            assert_eq!(bad.parse::<ConnectionId>(), Err(NotAnId), "{bad}");
        }
    }
}
