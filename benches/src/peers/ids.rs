//! [`Ids`], which rise as ours do: for the peers, whose engines hand out none of that kind.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// 48 bits of milliseconds, 64 of order, 16 that are random; above all that were handed out before.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    last: Mutex<u128>,
}

impl Ids {
    /// Goes on above the greatest ID that is in use.
    pub(crate) fn above(last: Option<[u8; 16]>) -> Self {
        Self { last: Mutex::new(last.map_or(0, u128::from_be_bytes)) }
    }

    /// The next one. Asked for while holding the engine's writer, IDs rise in the order of commits.
    pub(crate) fn next(&self) -> [u8; 16] {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let fresh = now.as_millis() << 80 | u128::from(fastrand::u64(..) >> 1) << 16;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let step = (1 + u128::from(fastrand::u32(..))) << 16;
        *last = if fresh >> 80 > *last >> 80 { fresh } else { (*last | 0xffff) + step };
        *last = (*last & !0xffff) | u128::from(fastrand::u16(..));
        last.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise() {
        let ids = Ids::above(Some([0x7f; 16]));
        let mut before = [0x7f; 16];
        for _ in 0..10_000 {
            let id = ids.next();
            assert!(id > before);
            before = id;
        }
    }
}
