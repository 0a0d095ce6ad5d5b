//! What is a schedule, as a short text? The choices where more than one was ready, or a seed.
//!
//! ```text
//!   "0*12.2.0.1"    twelve times the first of those who are ready, then the third, …, then the
//!                   first for good
//!   "fifo"          the first for good
//!   "seed-1f"       whatever the random numbers say that begin so
//! ```

use std::fmt;

/// Who is chosen where more than one is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Schedule {
    /// The place of each one chosen; beyond the last it is the first who is ready.
    Places(Vec<usize>),
    /// Random numbers say.
    Seed(u64),
}

impl Schedule {
    /// The schedule that a text stands for; `Err` says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Schedule, String> {
        let text = text.trim();
        if text == "fifo" {
            return Ok(Schedule::Places(Vec::new()));
        }
        if let Some(seed) = text.strip_prefix("seed-") {
            let seed = u64::from_str_radix(seed, 16);
            return seed.map(Schedule::Seed).map_err(|_| wrong(text));
        }
        let mut places = Vec::new();
        for part in text.split('.') {
            let (place, times) = part.split_once('*').unwrap_or((part, "1"));
            let (Ok(place), Ok(times)) = (place.parse::<usize>(), times.parse::<usize>()) else {
                return Err(wrong(text));
            };
            if places.len().saturating_add(times) > MOST_PLACES {
                return Err(wrong(text));
            }
            places.extend(std::iter::repeat_n(place, times));
        }
        Ok(Schedule::Places(places))
    }
}

/// More than any run has turns: a text that asks for more has a digit too many.
const MOST_PLACES: usize = 10_000_000;

fn wrong(text: &str) -> String {
    format!("`{text}` is no schedule: copy it as the failure has printed it, such as 0*12.2.0.1")
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = match self {
            Schedule::Seed(seed) => return write!(f, "seed-{seed:x}"),
            Schedule::Places(places) => places,
        };
        let end = places.iter().rposition(|place| *place != 0).map_or(0, |last| last + 1);
        if end == 0 {
            return f.write_str("fifo");
        }
        for (n, run) in places[..end].chunk_by(|a, b| a == b).enumerate() {
            let dot = if n == 0 { "" } else { "." };
            match run.len() {
                1 => write!(f, "{dot}{}", run[0])?,
                times => write!(f, "{dot}{}*{times}", run[0])?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_written_and_read_is_the_same() {
        let cases: [(&[usize], &str); 4] = [
            (&[], "fifo"),
            (&[0, 0], "fifo"),
            (&[0, 0, 0, 2, 0, 1, 1, 0], "0*3.2.0.1*2"),
            (&[10], "10"),
        ];
        for (places, text) in cases {
            assert_eq!(Schedule::Places(places.to_vec()).to_string(), text);
            let end = places.iter().rposition(|place| *place != 0).map_or(0, |last| last + 1);
            assert_eq!(Schedule::parse(text), Ok(Schedule::Places(places[..end].to_vec())));
        }
        assert_eq!(Schedule::Seed(31).to_string(), "seed-1f");
        assert_eq!(Schedule::parse(" seed-1f\n"), Ok(Schedule::Seed(31)));
    }

    #[test]
    fn a_text_that_is_no_schedule_is_refused() {
        for text in
            ["", "1..2", "1*", "seed-x", "a", "1*99999999999", "-1", "0.1*18446744073709551615"]
        {
            let said = Schedule::parse(text).expect_err("it is no schedule");
            assert!(said.contains("copy it"), "{said}");
        }
    }
}
