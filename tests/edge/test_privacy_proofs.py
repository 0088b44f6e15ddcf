import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROOFS = sorted(path.name for path in (ROOT / "docs" / "proofs").glob("*.md") if path.name != "README.md")
BLOCK = re.compile(r"```python\n# (?P<path>\S+)\n(?P<code>.*?)```", re.DOTALL)
STATED = re.compile(r"^\*\*((?:Lemma|Theorem|Corollary) (?:\w+|\(units\)))", re.MULTILINE)
ROW = re.compile(r"^\| \[[\w-]+\]\(([\w-]+\.md)\) \| ([^|]+?) \| `test_", re.MULTILINE)
LABEL = re.compile(r"\s+# \d+$")


@pytest.mark.parametrize("name", PROOFS)
def test_the_code_in_a_proof_is_the_code_that_runs(name: str) -> None:
    blocks = list(BLOCK.finditer((ROOT / "docs" / "proofs" / name).read_text(encoding="utf-8")))
    assert blocks
    for block in blocks:
        source = without_docstrings((ROOT / block["path"]).read_text(encoding="utf-8"))
        quoted = [LABEL.sub("", line).strip() for line in block["code"].splitlines()]
        assert "\n".join(quoted) in source, block["code"]


@pytest.mark.parametrize("name", [*PROOFS, "README.md"])
def test_every_test_that_a_proof_names_exists(name: str) -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "proofs" / name).read_text(encoding="utf-8"))
    assert named
    assert [test for test in named if f"def {test}(" not in tests] == []


def test_the_index_names_every_proof_and_a_test_of_each_theorem() -> None:
    index = (ROOT / "docs" / "proofs" / "README.md").read_text(encoding="utf-8")
    assert [name for name in PROOFS if f"| [{name}]({name}) |" not in index] == []
    stated = {
        (name, theorem)
        for name in PROOFS
        for theorem in STATED.findall((ROOT / "docs" / "proofs" / name).read_text(encoding="utf-8"))
    }
    assert len(stated) > 40
    assert set(ROW.findall(index)) == stated


def without_docstrings(source: str) -> str:
    lines = re.sub(r'\n\s*""".*?"""', "", "\n" + source, flags=re.DOTALL).splitlines()
    return "\n".join(line.strip() for line in lines)
