//! What does a measurement hand to the process that asked for it?
//!
//! One line: `ns=12.5 p99=80.1`. A key names a figure of the workload; the registry says which row of
//! the table it is, and in which unit.

use std::fmt;
use std::str::FromStr;

/// The figures of one measurement, by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(Vec<(String, f64)>);

impl Figures {
    pub fn one(key: &str, value: f64) -> Figures {
        Figures::default().and(key, value)
    }

    #[must_use]
    pub fn and(mut self, key: &str, value: f64) -> Figures {
        self.0.push((key.to_owned(), value));
        self
    }

    pub fn get(&self, key: &str) -> Option<f64> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| *value)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{key}={value}")?;
        }
        Ok(())
    }
}

impl FromStr for Figures {
    type Err = String;

    fn from_str(line: &str) -> Result<Figures, String> {
        let figure = |pair: &str| {
            let (key, value) = pair.split_once('=')?;
            Some((key.to_owned(), value.parse().ok()?))
        };
        let pairs = line.split_whitespace().map(figure);
        let figures: Option<Vec<_>> = pairs.collect();
        figures.map(Figures).ok_or_else(|| format!("no figures: {line:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    #[test]
    fn a_line_of_figures_reads_back() {
        let figures = Figures::one("ns", 12.5).and("p99", 80.25);
        assert_eq!(figures.to_string(), "ns=12.5 p99=80.25");
        assert_eq!(figures.to_string().parse(), Ok(figures.clone()));
        assert_eq!(figures.get("p99"), Some(80.25));
        assert!("thread panicked".parse::<Figures>().is_err());
    }
}
