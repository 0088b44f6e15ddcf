import ast
from collections import Counter
from pathlib import Path

import pytest

from audit.mutate import Copy, Fate, node, try_all
from audit.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]


def test_every_mutation_changes_text_that_stands_in_its_file_once_and_names_a_test_that_exists() -> None:
    for mutation in MUTATIONS:
        text = (ROOT / mutation.path).read_text(encoding="utf-8")
        assert text.count(mutation.old) == 1, mutation.name
        ast.parse(text.replace(mutation.old, mutation.new))
        assert f"def {mutation.test}(" in (ROOT / mutation.room).read_text(encoding="utf-8"), mutation.name


def test_mutations_have_names_of_their_own_and_there_are_enough_of_them() -> None:
    assert max(Counter(mutation.name for mutation in MUTATIONS).values()) == 1
    assert len(MUTATIONS) >= 25


@pytest.mark.timeout(300)
def test_the_quick_mutations_are_each_caught_by_the_test_that_is_named() -> None:
    quick = [mutation for mutation in MUTATIONS if mutation.quick]
    tried = try_all(quick, workers=2)
    assert [(one.mutation.name, one.fate, one.detail) for one in tried if one.fate is not Fate.CAUGHT] == []
    assert len(tried) >= 5


@pytest.mark.parametrize(
    ("old", "test", "fate"),
    [
        ("no such text", "test_the_report_lines_up_and_says_what_fails", Fate.STALE),
        ('"""One table', "test_the_report_lines_up_and_says_what_fails", Fate.SURVIVED),
        ('"holds"', "test_the_report_lines_up_and_says_what_fails", Fate.CAUGHT),
        ('"""One table', "test_that_is_not_there", Fate.BROKEN),
    ],
)
def test_what_is_not_caught_is_told_apart(tmp_path: Path, old: str, test: str, fate: Fate) -> None:
    room, path = "tests/audit/test_audit_statistics.py", "audit/report.py"
    mutation = Mutation("x", path, old, old.replace("holds", "keeps").replace("One", "A"), "", room, test)
    before = (ROOT / path).read_text(encoding="utf-8")
    assert Copy(tmp_path).try_out(mutation).fate is fate
    assert (tmp_path / path).read_text(encoding="utf-8") == before
    assert node(mutation) == f"{room}::{test}"


def test_a_test_that_fails_unbroken_catches_nothing() -> None:
    room = "tests/audit/test_audit_mutations.py"
    mutation = Mutation("x", "audit/report.py", '"holds"', '"keeps"', "", room, "test_that_is_not_there")
    assert [one.fate for one in try_all([mutation])] == [Fate.BROKEN]
