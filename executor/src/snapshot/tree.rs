//! How does a snapshot look as a tree? Depth first, with a stack of its own.

use std::fmt;

use super::Snapshot;

/// How deep lines are indented; those that are deeper say how deep. A chain of a hundred thousand tasks
/// would else be printed in gigabytes.
const MOST_INDENT: usize = 24;

/// A snapshot printed as a tree: made by [`Snapshot::tree`].
#[derive(Debug)]
pub struct Tree<'a> {
    snapshot: &'a Snapshot,
    awaits: Vec<Vec<usize>>,
}

/// One line to come.
struct Step {
    who: usize,
    depth: usize,
    /// Whether it is the last one of those whom the one above awaits.
    last: bool,
}

impl<'a> Tree<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Tree<'a> {
        let everybody = &snapshot.everybody;
        let awaits = everybody.list().iter().map(|waiting| {
            let awaits = waiting.awaits.iter();
            let mut awaited: Vec<usize> =
                awaits.filter_map(|awaited| everybody.would_let_go(awaited)).collect();
            awaited.sort_unstable();
            awaited.dedup();
            awaited
        });
        Tree { snapshot, awaits: awaits.collect() }
    }

    /// At the top: those whom nobody awaits, and then one of each cycle that nobody else awaits: the
    /// first whom no line has shown.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.awaits.len();
        let mut awaited = vec![false; size];
        self.awaits.iter().flatten().for_each(|who| awaited[*who] = true);
        let mut walk =
            Walk { shown: vec![false; size], path: Vec::new(), on_path: vec![false; size] };
        let free = (0..size).filter(|who| !awaited[*who]);
        for top in free.chain(0..size) {
            if !walk.shown[top] {
                self.write_from(f, top, &mut walk)?;
            }
        }
        Ok(())
    }

    fn write_from(&self, f: &mut fmt::Formatter<'_>, top: usize, walk: &mut Walk) -> fmt::Result {
        let mut lasts: Vec<bool> = Vec::new();
        let mut steps = vec![Step { who: top, depth: 0, last: true }];
        while let Some(Step { who, depth, last }) = steps.pop() {
            walk.back_to(depth);
            lasts.truncate(depth);
            lasts.push(last);
            write_indent(f, &lasts)?;
            f.write_str(&self.snapshot.everybody.name(self.snapshot.everybody()[who].task))?;
            let awaits = &self.awaits[who];
            if walk.on_path[who] {
                f.write_str(" (a cycle)")?;
            } else if walk.shown[who] && !awaits.is_empty() {
                f.write_str(" (see above)")?;
            } else {
                walk.enter(who);
                let below = awaits.iter().rev().enumerate();
                steps.extend(below.map(|(n, who)| Step {
                    who: *who,
                    depth: depth + 1,
                    last: n == 0,
                }));
            }
        }
        walk.back_to(0);
        Ok(())
    }
}

/// How far the walk has come.
struct Walk {
    shown: Vec<bool>,
    /// From the top to the line above.
    path: Vec<usize>,
    on_path: Vec<bool>,
}

impl Walk {
    fn enter(&mut self, who: usize) {
        self.shown[who] = true;
        self.on_path[who] = true;
        self.path.push(who);
    }

    /// The next line is so deep.
    fn back_to(&mut self, depth: usize) {
        for left in self.path.drain(depth.min(self.path.len())..) {
            self.on_path[left] = false;
        }
    }
}

/// The new line and what stands before the name: `lasts` says of each level whether nothing follows.
fn write_indent(f: &mut fmt::Formatter<'_>, lasts: &[bool]) -> fmt::Result {
    f.write_str("\n  ")?;
    let Some((last, above)) = lasts[1..].split_last() else { return Ok(()) };
    for ended in above.iter().take(MOST_INDENT) {
        f.write_str(if *ended { "   " } else { "│  " })?;
    }
    f.write_str(if *last { "└─ " } else { "├─ " })?;
    if above.len() > MOST_INDENT {
        write!(f, "[{} deep] ", lasts.len() - 1)?;
    }
    Ok(())
}

impl fmt::Display for Tree<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}
