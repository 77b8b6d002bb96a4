//! A short-lived cache of one value that is expensive to make.

use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Caches a value for a while. Callers get a clone of it; while it is being made they wait, so that it is made once.
#[derive(Debug)]
pub(crate) struct Fresh<T> {
    keep_for: Duration,
    made: Mutex<Option<(Instant, T)>>,
    /// The permit to make the next value.
    turn: Semaphore,
}

impl<T: Clone> Fresh<T> {
    pub(crate) const fn new(keep_for: Duration) -> Self {
        Self {
            keep_for,
            made: Mutex::new(None),
            turn: Semaphore::const_new(1),
        }
    }

    /// The value, or why it cannot be made; that is not kept. When it is dropped while it makes the value, another makes
    /// it.
    pub(crate) async fn get<E>(&self, make: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        if let Some(value) = self.kept() {
            return Ok(value);
        }
        // It is never closed.
        let _turn = self.turn.acquire().await;
        if let Some(value) = self.kept() {
            return Ok(value);
        }
        let value = make.await?;
        *self.lock() = Some((Instant::now(), value.clone()));
        Ok(value)
    }

    fn kept(&self) -> Option<T> {
        let made = self.lock();
        let (since, value) = made.as_ref()?;
        (since.elapsed() < self.keep_for).then(|| value.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, T)>> {
        self.made.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_is_made_once_for_all_who_ask() {
        let fresh = Fresh::new(2 * SECOND);
        let made = Cell::new(0);
        let ask = || {
            fresh.get(async {
                made.set(made.get() + 1);
                tokio::time::sleep(SECOND).await;
                Ok::<_, ()>(made.get())
            })
        };
        // The second asks while the first makes it.
        assert_eq!(tokio::join!(ask(), ask()), (Ok(1), Ok(1)));
        assert_eq!(ask().await, Ok(1));
        tokio::time::advance(2 * SECOND).await;
        assert_eq!(ask().await, Ok(2));
    }

    #[tokio::test]
    async fn a_failure_is_not_kept() {
        let fresh = Fresh::new(SECOND);
        assert_eq!(fresh.get(async { Err("no") }).await, Err("no"));
        assert_eq!(fresh.get(async { Ok::<_, &str>(1) }).await, Ok(1));
    }
}
