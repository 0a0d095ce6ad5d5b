#!/usr/bin/env python3
"""Which test covers which behaviour? Writes CONFORMANCE.md beside this file.

    tests/conformance.py            write the tables anew and print how many numbers they have
    tests/conformance.py --check    change nothing, and fail as well if the file is not up to date

A test says what it covers in comment lines directly above its attributes:

    // SEM-53, F8: nothing of it runs inside the call
    // SEM-54
    #[test]
    fn cancel_of_a_waiting_task_stops_it_at_its_next_turn() {

behaviours.md says in a sentence what a number means, a line each:

    - SEM-53: `cancel` runs nothing of the task inside the call; the task is stopped at its next turn.

What has no test stands with its reason between the two markers in CONFORMANCE.md: that part is
written by hand, `| number | why no test |`, and kept but for the sentence that is put in between.

Both fail where a number of a test, or one by hand, has no sentence, and where the part by hand names
a test that is not there. They warn of a sentence whose number has neither a test nor a reason by
hand, and of a number that has both.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TABLE = HERE / "CONFORMANCE.md"
BEHAVIOURS = HERE / "behaviours.md"
SOURCES = ["tests", "executor/src", "reactor/src", "sync/src"]
BEGIN, END = "<!-- by hand: begin -->", "<!-- by hand: end -->"

NUMBER = r"(?:SEM-\d+|F\d+)"
COVERS = re.compile(rf"\s*// ({NUMBER}(?:, {NUMBER})*)(?::|$)")
TEST = re.compile(r"\s*#\[(?:\w+::)*test\b")
ABOVE = re.compile(r"\s*(//|#\[)")
NAME = re.compile(r"\s*(?:pub(?:\(crate\))? )?(?:async )?fn (\w+)")
NAMED = re.compile(r"`([\w/.]+\.rs::\w+)`")
SENTENCE = re.compile(rf"^- ({NUMBER}): (\S.*)$", re.M)
REASON = re.compile(rf"^\| ({NUMBER}) \| (?:.* \| )?(.+) \|$", re.M)

BY_HAND = f"""{BEGIN}
| number | behaviour | why no test |
|---|---|---|
{END}"""


def tests():
    """Every test as (`file.rs::name`, the numbers above it)."""
    for source in SOURCES:
        for path in sorted((ROOT / source).rglob("*.rs")):
            lines = path.read_text(encoding="utf-8").splitlines()
            for at, line in enumerate(lines):
                if not TEST.match(line):
                    continue
                below = (NAME.match(line) for line in lines[at + 1 : at + 20])
                name = next((found[1] for found in below if found), None)
                if name is None:
                    continue
                top = at
                while top > 0 and ABOVE.match(lines[top - 1]):
                    top -= 1
                covers = (COVERS.match(line) for line in lines[top:at])
                numbers = [n for found in covers if found for n in found[1].split(", ")]
                yield f"{path.relative_to(ROOT).as_posix()}::{name}", numbers


def in_order(numbers):
    """Numbers sorted as such: SEM-9 before SEM-10, and the findings last."""
    return sorted(numbers, key=lambda n: (n[0] == "F", int(re.sub(r"\D", "", n))))


def table(title, head, covered, sentences):
    """A Markdown table, sorted by number: one line a number."""
    rows = [f"## {title}", "", f"| {head} | behaviour | tests |", "|---|---|---|"]
    for number in in_order(covered):
        names = "<br>".join(f"`{test}`" for test in covered[number])
        rows.append(f"| {number} | {sentences.get(number, '')} | {names} |")
    return rows + [""]


def by_hand(sentences):
    """The part between the markers, with today's sentences."""
    part = BY_HAND
    if TABLE.exists():
        text = TABLE.read_text(encoding="utf-8")
        if BEGIN in text and END in text:
            part = text[text.index(BEGIN) : text.index(END) + len(END)]
    return REASON.sub(lambda row: f"| {row[1]} | {sentences.get(row[1], '')} | {row[2]} |", part)


def main():
    """Writes or checks the file; the exit code says how it went."""
    behaviours, findings, names = defaultdict(list), defaultdict(list), set()
    for test, numbers in tests():
        names.add(test)
        for number in dict.fromkeys(numbers):
            (behaviours if number.startswith("SEM") else findings)[number].append(test)
    sentences = dict(SENTENCE.findall(BEHAVIOURS.read_text(encoding="utf-8")))
    hand = by_hand(sentences)
    text = "\n".join(
        ["# Which test covers which behaviour", ""]
        + ["Written by `tests/conformance.py` from the comments above the tests and the sentences of"]
        + ["[`behaviours.md`](behaviours.md), which says what the numbers are. By hand: only the part"]
        + ["between the markers.", ""]
        + table("Behaviours", "SEM", behaviours, sentences)
        + table("Findings", "F", findings, sentences)
        + ["## Without a test", "", hand, ""]
    )
    tested = behaviours.keys() | findings.keys()
    listed = {number for number, _reason in REASON.findall(hand)}
    unsaid = in_order((tested | listed) - sentences.keys())
    wrong = [f"behaviours.md has no sentence for {number}" for number in unsaid]
    missing = [name for name in NAMED.findall(hand) if name not in names]
    wrong += [f"CONFORMANCE.md names {name}, which is not a test" for name in missing]
    if "--check" not in sys.argv[1:]:
        TABLE.write_text(text, encoding="utf-8")
    elif not TABLE.exists() or TABLE.read_text(encoding="utf-8") != text:
        wrong.append("CONFORMANCE.md is not up to date: run tests/conformance.py")
    for number in in_order(sentences.keys() - tested - listed):
        print(f"warning: {number} has a sentence, but neither a test nor a reason", file=sys.stderr)
    for number in in_order(tested & listed):
        print(f"warning: {number} is listed as without a test, and has one", file=sys.stderr)
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(behaviours)} behaviours, {len(findings)} findings, {len(names)} tests")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
