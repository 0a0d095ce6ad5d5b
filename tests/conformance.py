#!/usr/bin/env python3
"""Which test covers which behaviour? Writes CONFORMANCE.md beside this file.

    tests/conformance.py            write the tables anew and print how many numbers they have
    tests/conformance.py --check    fail if the file is not up to date or names a test that is not there

A test says what it covers in comment lines directly above its attributes:

    // SEM-53, F8: nothing of it runs inside the call
    // SEM-54
    #[test]
    fn cancel_of_a_waiting_task_stops_it_at_its_next_turn() {

`SEM-n` are the behaviours of SEMANTICS.md, `Fn` the findings of RULES.md. What no test can show stands
as a sentence between the two markers in CONFORMANCE.md: that part is written by hand and kept.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TABLE = HERE / "CONFORMANCE.md"
SOURCES = ["tests", "executor/src", "reactor/src", "sync/src"]
BEGIN, END = "<!-- by hand: begin -->", "<!-- by hand: end -->"

NUMBER = r"(?:SEM-\d+|F\d+)"
COVERS = re.compile(rf"\s*// ({NUMBER}(?:, {NUMBER})*)(?::|$)")
TEST = re.compile(r"\s*#\[(?:\w+::)*test\b")
ABOVE = re.compile(r"\s*(//|#\[)")
NAME = re.compile(r"\s*(?:pub(?:\(crate\))? )?(?:async )?fn (\w+)")
NAMED = re.compile(r"`([\w/.]+\.rs::\w+)`")

BY_HAND = f"""{BEGIN}
| number | why no test |
|---|---|
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


def table(title, head, covered):
    """A Markdown table, sorted by number: one line a number."""
    rows = [f"## {title}", "", f"| {head} | tests |", "|---|---|"]
    for number in sorted(covered, key=lambda n: int(re.sub(r"\D", "", n))):
        rows.append(f"| {number} | {'<br>'.join(f'`{test}`' for test in covered[number])} |")
    return rows + [""]


def by_hand():
    """The part between the markers, as it stands."""
    if TABLE.exists():
        text = TABLE.read_text(encoding="utf-8")
        if BEGIN in text and END in text:
            return text[text.index(BEGIN) : text.index(END) + len(END)]
    return BY_HAND


def main():
    """Writes or checks the file; the exit code says how it went."""
    behaviours, findings, names = defaultdict(list), defaultdict(list), set()
    for test, numbers in tests():
        names.add(test)
        for number in dict.fromkeys(numbers):
            (behaviours if number.startswith("SEM") else findings)[number].append(test)
    text = "\n".join(
        ["# Which test covers which behaviour", ""]
        + ["Written by `tests/conformance.py` from the comments above the tests. By hand: only the part"]
        + ["between the markers.", ""]
        + table("Behaviours", "SEM", behaviours)
        + table("Findings", "F", findings)
        + ["## Covered by a sentence", "", by_hand(), ""]
    )
    missing = [name for name in NAMED.findall(by_hand()) if name not in names]
    for name in missing:
        print(f"CONFORMANCE.md names {name}, which is not a test", file=sys.stderr)
    if "--check" in sys.argv[1:]:
        stale = not TABLE.exists() or TABLE.read_text(encoding="utf-8") != text
        if stale:
            print("CONFORMANCE.md is not up to date: run tests/conformance.py", file=sys.stderr)
        failed = stale or bool(missing)
    else:
        TABLE.write_text(text, encoding="utf-8")
        failed = bool(missing)
    print(f"{len(behaviours)} behaviours, {len(findings)} findings, {len(names)} tests")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
