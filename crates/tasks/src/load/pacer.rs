//! When requests are due.

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, channel};

use super::Rate;

/// A request that is due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// Which one, from 0.
    pub(super) index: u64,
    /// Since when.
    pub(super) at: Instant,
}

/// The longest sleep, so that the thread notices soon that nobody listens any more.
const NAP: Duration = Duration::from_millis(50);

/// Gives `requests` requests, each when it is due, the first at `start`.
///
/// A thread of its own keeps the time, because timers of the runtime have a resolution of a
/// millisecond. It ends when all have been given or the receiver is gone. Who takes them late gets
/// them late, but still with the time when they were due.
///
/// # Errors
/// If no thread can be started.
pub(super) fn pace(rate: Rate, requests: u64, start: Instant) -> std::io::Result<Receiver<Due>> {
    let (sender, receiver) = channel(1024);
    thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || {
            for index in 0..requests {
                let at = start + rate.due(index);
                loop {
                    let wait = at.saturating_duration_since(Instant::now());
                    if wait.is_zero() {
                        break;
                    }
                    if sender.is_closed() {
                        return;
                    }
                    thread::sleep(wait.min(NAP));
                }
                if sender.blocking_send(Due { index, at }).is_err() {
                    return;
                }
            }
        })?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_come_in_order_and_not_before_they_are_due() {
        let start = Instant::now();
        let mut requests = pace("500/s".parse().unwrap(), 20, start).unwrap();
        let mut count = 0;
        while let Some(due) = requests.recv().await {
            assert!(Instant::now() >= due.at);
            assert_eq!(due.index, count);
            assert_eq!(
                due.at,
                start + Duration::from_millis(2) * u32::try_from(count).unwrap()
            );
            count += 1;
        }
        assert_eq!(count, 20);
    }

    #[tokio::test]
    async fn who_is_late_still_learns_when_requests_were_due() {
        let start = Instant::now();
        let mut requests = pace("1000/s".parse().unwrap(), 50, start).unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
        for index in 0..50 {
            let due = requests.recv().await.unwrap();
            assert_eq!(due.at, start + Duration::from_millis(index));
        }
        assert!(requests.recv().await.is_none());
    }
}
