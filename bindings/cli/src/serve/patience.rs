//! [`Patience`], how long a client may keep the server waiting: a while, and longer for what it has moved.

use std::time::Duration;
use tokio::time::Instant;

/// The pace that a client may go for good, in bytes a second: that of a modem.
const PACE: f64 = 8.0 * 1024.0;

/// The patience with one client over one long body. Time in which the server itself is slow takes none.
pub(crate) struct Patience {
    most: Duration,
    left: Duration,
}

/// It came to an end.
pub(crate) struct TooSlow;

impl Patience {
    pub(crate) fn new(most: Duration) -> Self {
        Self { most, left: most }
    }

    /// Waits for the client.
    pub(crate) async fn wait<T>(&mut self, act: impl Future<Output = T>) -> Result<T, TooSlow> {
        let begun = Instant::now();
        let done = tokio::time::timeout(self.left, act).await.map_err(|_| TooSlow)?;
        self.left = self.left.saturating_sub(begun.elapsed());
        Ok(done)
    }

    /// The client has sent or read so much.
    #[expect(clippy::cast_precision_loss, reason = "a part of a body is small")]
    pub(crate) fn moved(&mut self, bytes: usize) {
        let earned = Duration::from_secs_f64(bytes as f64 / PACE);
        self.left = self.left.saturating_add(earned).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn a_trickle_uses_it_up_and_a_stream_does_not() {
        let most = Duration::from_secs(30);
        let mut patience = Patience::new(most);
        patience.left = Duration::from_secs(2);
        patience.moved(1);
        assert!(patience.left < Duration::from_millis(2001), "a byte earns next to nothing");
        patience.moved(1 << 20);
        assert_eq!(patience.left, most, "nobody saves up");
    }

    #[test]
    fn what_never_comes_ends_it() {
        runtime().block_on(async {
            let mut patience = Patience::new(Duration::from_millis(1));
            assert!(patience.wait(std::future::pending::<()>()).await.is_err());
            assert!(patience.wait(std::future::ready(())).await.is_ok(), "what is there is taken");
        });
    }
}
