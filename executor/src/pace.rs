//! When is the park looked at within a batch? After so many polls, or so much time.

use std::time::Duration;

use crate::park::Park;
use crate::settings::Settings;

/// How often the clock is read within a batch: 20 ns each time.
const POLLS_A_READING: u32 = 16;

/// How many polls ago the park was looked at, and when.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    polls: u32,
    since: Option<Duration>,
}

impl Pace {
    /// The park has just been looked at; `reading` is its clock's, if time shall count.
    pub(crate) fn since(reading: Option<Duration>) -> Pace {
        Pace { polls: 0, since: reading }
    }

    /// How many may be polled before it has to be asked again.
    pub(crate) fn some(&self, settings: &Settings) -> usize {
        let reading = POLLS_A_READING - self.polls % POLLS_A_READING;
        reading.min(settings.event_interval.saturating_sub(self.polls).max(1)) as usize
    }

    /// Before anybody is polled: is it time to look? Mains that end before they have to wait leave that
    /// to the next.
    pub(crate) fn is_overdue(&self, settings: &Settings, park: &impl Park) -> bool {
        let since = self.since.zip(park.reading());
        self.polls >= settings.event_interval
            || since.is_some_and(|(since, now)| now.saturating_sub(since) >= settings.event_period)
    }

    /// So many were polled, and nobody asks whether it is time to look.
    pub(crate) fn count(&mut self, polled: usize) {
        self.polls = self.polls.saturating_add(polled as u32);
    }

    /// So many were polled: is it time to look?
    pub(crate) fn is_due(&mut self, polled: usize, settings: &Settings, park: &impl Park) -> bool {
        self.polls += polled as u32;
        if self.polls >= settings.event_interval {
            return true;
        }
        if !self.polls.is_multiple_of(POLLS_A_READING) {
            return false;
        }
        let Some(now) = park.reading() else { return false };
        // Without a look so far, time counts from here.
        now.saturating_sub(*self.since.get_or_insert(now)) >= settings.event_period
    }
}
