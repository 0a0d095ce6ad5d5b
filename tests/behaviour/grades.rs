//! Does every future of ours say what it loses when it is dropped? Read from the sources.
//!
//! A section `# Cancellation` has to stand with the type, with a function that returns it, or with the
//! trait or macro of that file; and each such section has to name a grade, or one that does.

use std::fs;
use std::path::{Path, PathBuf};

const MEMBERS: [&str; 4] = ["executor", "reactor", "sync", "threads"];
const SECTION: &str = "/// # Cancellation";
/// A grade, or whose it is.
const GRADES: [&str; 4] = ["strict", "lose", "as ", "nothing"];

/// The sources below a folder, each as its lines.
fn sources(folder: &Path, all: &mut Vec<Vec<String>>) {
    let entries = fs::read_dir(folder).expect("the sources are there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it is read").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("it is text");
            all.push(text.lines().map(|line| line.trim().to_owned()).collect());
        }
    }
}

/// The name in `… Future for Name<…>`, or the same of a stream.
fn implementor(line: &str) -> Option<&str> {
    let line = line.strip_prefix("impl").filter(|_| !line.contains("Into"))?;
    let after = ["Future for ", "Stream for "].iter().find_map(|what| line.split_once(what))?.1;
    let end = after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len());
    Some(&after[..end]).filter(|name| name.len() > 1)
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|other| other == word)
}

/// Whether the comment above this line has the section.
fn has_section(file: &[String], line: usize) -> bool {
    let above = file[..line].iter().rev();
    let mut above = above.take_while(|line| line.starts_with("//") || line.starts_with("#["));
    above.any(|line| line == SECTION)
}

/// What a function returns, if one begins on this line.
fn returned(file: &[String], line: usize) -> Option<String> {
    let (before, _) = file[line].split_once("fn ")?;
    if !["", "pub ", "async ", "pub async "].contains(&before) {
        return None;
    }
    let is_last = |line: &String| line.contains('{') || line.ends_with(';');
    let end = line + file[line..].iter().position(is_last)?;
    let head = file[line..=end].join(" ");
    head.split_once("->").map(|(_, returned)| returned.to_owned())
}

/// Whether a type that is public says it somewhere.
fn says_it(member: &[Vec<String>], name: &str) -> bool {
    member.iter().any(|file| {
        let shared = || {
            let is_shared = |line: &String| {
                ["pub trait ", "macro_rules! "].iter().any(|what| line.starts_with(what))
            };
            (0..file.len()).any(|at| is_shared(&file[at]) && has_section(file, at))
        };
        (0..file.len()).any(|at| {
            let is_type = file[at].starts_with("pub struct ") && has_word(&file[at], name);
            let is_impl = implementor(&file[at]) == Some(name);
            let is_returned = returned(file, at).is_some_and(|returned| has_word(&returned, name));
            (is_type || is_impl || is_returned) && (has_section(file, at) || shared())
        })
    })
}

#[test]
fn every_public_future_says_what_is_lost_when_it_is_dropped() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut futures, mut silent) = (0, Vec::new());
    for name in MEMBERS {
        let mut member = Vec::new();
        sources(&root.join(name).join("src"), &mut member);
        let is_public = |name: &str| {
            let is_it = |line: &String| line.starts_with("pub struct ") && has_word(line, name);
            member.iter().flatten().any(is_it)
        };
        for future in member.iter().flatten().filter_map(|line| implementor(line)) {
            if is_public(future) {
                futures += 1;
                if !says_it(&member, future) {
                    silent.push(format!("{name}: {future}"));
                }
            }
        }
    }
    assert!(futures >= 90, "only {futures} were found: the sources are not read as they should be");
    assert_eq!(silent, [""; 0], "these do not say what they lose");
}

#[test]
fn every_section_on_cancellation_names_a_grade() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all = Vec::new();
    MEMBERS.iter().for_each(|name| sources(&root.join(name).join("src"), &mut all));
    let (mut sections, mut vague) = (0, Vec::new());
    for file in &all {
        for at in (0..file.len()).filter(|at| file[*at] == SECTION) {
            sections += 1;
            let rest = file[at + 1..].iter();
            let section =
                rest.take_while(|line| line.starts_with("///") && !line.starts_with("/// #"));
            let text = section.cloned().collect::<Vec<_>>().join(" ").to_lowercase();
            if !GRADES.iter().any(|grade| text.contains(grade)) {
                vague.push(text);
            }
        }
    }
    assert!(
        sections >= 90,
        "only {sections} were found: the sources are not read as they should be"
    );
    assert_eq!(vague, [""; 0], "these name no grade");
}
