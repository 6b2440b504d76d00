//! Which events about a full disk begin something new. Pure: the clock is the caller's.
//!
//! A disk at its limit is full, has room for one segment, and is full again, many times a second. To the user that is
//! one episode: it is told when it begins, and not again before it has been over for a while.

use spillpipe::pipe::Event;
use std::time::{Duration, Instant};

/// How long an episode must be over before another one begins.
const QUIET: Duration = Duration::from_secs(10);

/// What has been told so far.
#[derive(Debug, Default)]
pub(super) struct Episodes {
    last_event: Option<Instant>,
    told: bool,
}

impl Episodes {
    /// Whether the event is worth telling. That there is room again is so once, after a full disk that was told.
    pub(super) fn is_news(&mut self, event: &Event, now: Instant) -> bool {
        match event {
            Event::Full { .. } => self.full(now),
            Event::Resumed { .. } => self.resumed(now),
            _ => true,
        }
    }

    /// Whether it is worth telling that the disk is full.
    pub(super) fn full(&mut self, now: Instant) -> bool {
        let quiet = |last| now.saturating_duration_since(last) >= QUIET;
        self.told = self.last_event.replace(now).is_none_or(quiet);
        self.told
    }

    /// Whether it is worth telling that there is room again.
    pub(super) fn resumed(&mut self, now: Instant) -> bool {
        self.last_event = Some(now);
        std::mem::take(&mut self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spillpipe::pipe::FullReason;

    #[test]
    fn a_disk_that_hovers_at_its_limit_is_told_once() {
        let full = Event::Full { dir: "/v".into(), reason: FullReason::MaxDisk { limit_bytes: 1 }, backlog_bytes: 1 };
        let resumed = Event::Resumed { after: Duration::ZERO };
        let (start, mut episodes) = (Instant::now(), Episodes::default());
        let mut news = |event: &Event, seconds| episodes.is_news(event, start + Duration::from_secs(seconds));
        assert!(news(&Event::SpillStarted { dir: "/v".into(), tmpfs: false }, 0));
        assert!(news(&full, 0) && news(&resumed, 1));
        for seconds in 2..100 {
            assert!(!news(&full, seconds) && !news(&resumed, seconds));
        }
        assert!(news(&full, 109) && news(&resumed, 200), "ten seconds after the last");
        assert!(!news(&full, 209), "it had been over for nine seconds only");
    }
}
