#!/usr/bin/env python3
"""Which test covers which behaviour? Writes CONFORMANCE.md beside this file.

    tests/conformance.py                write the tables anew and print how many numbers they have
    tests/conformance.py --check        change nothing, and fail as well if the file is not up to date
    tests/conformance.py --ran FILE…    change nothing; fail unless every test that names a number
                                        has passed, as the output of `cargo test` in FILE says

A test says what it covers in comment lines directly above its attributes:

    // SEM-53, F8: nothing of it runs inside the call
    // SEM-54, C-83
    #[test]
    fn cancel_of_a_waiting_task_stops_it_at_its_next_turn() {

behaviours.md says in a sentence what a number means, a line each:

    - SEM-53: `cancel` runs nothing of the task inside the call; the task is stopped at its next turn.

What has no test stands with its reason between the two markers in CONFORMANCE.md: that part is
written by hand, `| number | why no test |`, and kept but for the sentence that is put in between.

`SEM-n` are behaviours, `Fn` findings, `C-n` corner cases: `behaviours.md` has more about them. Where
several FILEs are given, a test has to pass in one of them and to fail in none. They hold both streams
(`cargo test 2>&1 | tee FILE`), for cargo says on the other one which target's tests come next.

The first two fail where a number of a test, or one by hand, has no sentence, where one has two, and
where the part by hand names a test that is not there. They warn of a sentence whose number has neither
a test nor a reason by hand, and of a number that has both.
"""

import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TABLE = HERE / "CONFORMANCE.md"
BEHAVIOURS = HERE / "behaviours.md"
SOURCES = ["tests", "executor/src", "reactor/src", "sync/src", "threads/src"]
BEGIN, END = "<!-- by hand: begin -->", "<!-- by hand: end -->"

NUMBER = r"(?:SEM-\d+|F\d+|C-\d+)"
KINDS = ["SEM", "F", "C"]
COVERS = re.compile(rf"\s*// ({NUMBER}(?:, {NUMBER})*)(?::|$)")
TEST = re.compile(r"\s*#\[(?:\w+::)*test\b")
ABOVE = re.compile(r"\s*(//|#\[)")
NAME = re.compile(r"\s*(?:pub(?:\(crate\))? )?(?:async )?fn (\w+)")
NAMED = re.compile(r"`([\w/.]+\.rs::\w+)`")
SENTENCE = re.compile(rf"^- ({NUMBER}): (\S.*)$", re.M)
REASON = re.compile(rf"^\| ({NUMBER}) \| (?:.* \| )?(.+) \|$", re.M)

RUNNING = re.compile(r"\s*(?:Running .*\((\S+)-[0-9a-f]+(?:\.exe)?\)|Doc-tests (\S+))$")
RESULT = re.compile(r"test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)?")
ALL_PASSED = re.compile(r"test result: ok\.")

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


def kind(number):
    """What a number is one of: SEM, F or C."""
    return re.match(r"[A-Z]+", number)[0]


def in_order(numbers):
    """Numbers sorted as such: SEM-9 before SEM-10, then the findings, then the corner cases."""
    return sorted(numbers, key=lambda n: (KINDS.index(kind(n)), int(re.sub(r"\D", "", n))))


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


def results(files):
    """What the output of `cargo test` says: (target, path of the test) → the set of its results.

    What a test writes itself may stand between its name and its result, or before the next name: then
    the last line of its target says whether all have passed.
    """
    found, target, unsaid = defaultdict(set), None, []
    for file in files:
        for line in Path(file).read_text(encoding="utf-8", errors="replace").splitlines():
            if running := RUNNING.match(line):
                target, unsaid = f"doc {running[2]}" if running[2] else Path(running[1]).name, []
            for name, result in RESULT.findall(line):
                if result:
                    found[target, name].add(result)
                else:
                    unsaid.append(name)
            if ALL_PASSED.match(line):
                for name in unsaid:
                    found[target, name].add("ok")
    return found


def target_of(test):
    """The target that a test is in, the modules that its file is, and its name."""
    file, name = test.split("::")
    package, *modules = file.removesuffix(".rs").split("/")
    target = modules.pop(0)
    if target == "src":
        target = f"lone_{package}"
    return target, [module for module in modules if module not in ("main", "lib", "mod")], name


def have_not_passed(named, files):
    """What is wrong with the run of these tests, a line each."""
    by_name = defaultdict(list)
    for (target, path), said in results(files).items():
        *modules, name = path.split("::")
        by_name[target, name].append((modules, said))
    for test in named:
        target, within, name = target_of(test)
        said = set()
        for modules, this in by_name[target, name]:
            # A file may have modules of its own inside.
            if modules[: len(within)] == within:
                said |= this
        if "FAILED" in said:
            yield f"{test} has failed"
        elif "ok" not in said:
            yield f"{test} has not run"


def main():
    """Writes or checks the file, or checks a run; the exit code says how it went."""
    covered, names, named = {of: defaultdict(list) for of in KINDS}, set(), []
    for test, numbers in tests():
        names.add(test)
        if numbers:
            named.append(test)
        for number in dict.fromkeys(numbers):
            covered[kind(number)][number].append(test)
    counts = "{} behaviours, {} findings, {} corner cases".format(*map(len, covered.values()))
    if "--ran" in sys.argv[1:]:
        wrong = list(have_not_passed(named, sys.argv[sys.argv.index("--ran") + 1 :]))
        for line in wrong:
            print(line, file=sys.stderr)
        print(f"{len(named) - len(wrong)} of {len(named)} named tests ran and passed; {counts}")
        return int(bool(wrong))

    said = SENTENCE.findall(BEHAVIOURS.read_text(encoding="utf-8"))
    sentences = dict(said)
    hand = by_hand(sentences)
    text = "\n".join(
        ["# Which test covers which behaviour", ""]
        + ["Written by `tests/conformance.py` from the comments above the tests and the sentences of"]
        + ["[`behaviours.md`](behaviours.md), which says what the numbers are. By hand: only the part"]
        + ["between the markers.", ""]
        + table("Behaviours", "SEM", covered["SEM"], sentences)
        + table("Findings", "F", covered["F"], sentences)
        + table("Corner cases", "C", covered["C"], sentences)
        + ["## Without a test", "", hand, ""]
    )
    tested = {number for of in covered.values() for number in of}
    listed = {number for number, _reason in REASON.findall(hand)}
    unsaid = in_order((tested | listed) - sentences.keys())
    wrong = [f"behaviours.md has no sentence for {number}" for number in unsaid]
    twice = [number for number, times in Counter(number for number, _ in said).items() if times > 1]
    wrong += [f"behaviours.md has two sentences for {number}" for number in twice]
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
    print(f"{counts}, {len(names)} tests")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
