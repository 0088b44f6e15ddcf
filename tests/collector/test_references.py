import pytest
from factories import altered, make_features, make_observation, make_statement

from collector import cli
from collector.compare import Comparison, compare
from collector.errors import ReferenceUnknown, StoreUnavailable
from wire.exit import Exit

EPOCH = bytes(range(16))


@pytest.fixture
def path(store, key, tmp_path):
    for position in (1, 2, 4):
        store.add(*make_observation("cam-1", position, EPOCH, key))
    store.add(*make_observation("cam-1", 5, EPOCH, key, level="state"))
    store.commit()
    return tmp_path / "collector.db"


def compared(path, a, b):
    return cli.compare([a, b, "--store", str(path)])


def fixed(verdict, shared=0):
    real = compare(make_features(1), make_features(2))
    values = {name: getattr(real, name) for name in ("keypoints", "matches", "agrees", "moved", "cosine", "reason")}
    return lambda _a, _b: Comparison(**values, shared=shared, verdict=verdict)


@pytest.mark.parametrize(("verdict", "status"), [("same place", 0), ("different place", 1), ("not enough to tell", 2)])
def test_the_exit_status_is_the_verdict(path, monkeypatch, capsys, verdict, status):
    monkeypatch.setattr(cli, "compare_observations", fixed(verdict))
    assert compared(path, "cam-1@1", "cam-1@2") == status
    said = capsys.readouterr().out
    assert said.startswith(f"{verdict}: cam-1@1 (day) and cam-1@2 (day)\n")
    assert "of 60 matched keypoints agree (60 and 60 keypoints)" in said
    assert "SIMULATED" in said
    assert "warning" not in said


def test_shared_releases_are_a_warning(path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "compare_observations", fixed("same place", shared=3))
    compared(path, "cam-1@1", "cam-1@2")
    assert "warning: 3 releases are in both maps" in capsys.readouterr().out


def test_noise_that_was_expanded_by_a_drbg_is_said(path, store, key, capsys):
    statement = make_statement()
    drbg = altered(statement, entropy=altered(statement.entropy, construction="drbg"))
    store.add(*make_observation("cam-1", 6, EPOCH, key, statement=drbg))
    store.commit()
    compared(path, "cam-1@1", "cam-1@2")
    assert "computational" not in capsys.readouterr().out
    compared(path, "cam-1@1", "cam-1@6")
    assert "noise is computational: expanded by a DRBG" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("reference", "title"),
    [
        ("cam-1@4", "cam-1@4 (day)"),
        ("cam-1@day@-1", "cam-1@4 (day)"),
        ("cam-1@day@-3", "cam-1@1 (day)"),
        ("cam-1@state@-1", "cam-1@5 (state)"),
        ("2", "cam-1@2 (day)"),
    ],
)
def test_an_observation_can_be_named_in_several_ways(path, capsys, reference, title):
    compared(path, reference, "1")
    assert f": {title} and cam-1@1 (day)\n" in capsys.readouterr().out


@pytest.mark.parametrize("reference", ["cam-1@3", "cam-1@day@-4", "cam-1@day@-0", "cam-9@1", "0", "99", "x", "@", "²"])
def test_a_name_of_nothing_says_so_and_lists_the_forms(path, reference):
    with pytest.raises(ReferenceUnknown) as caught:
        compared(path, reference, "1")
    assert caught.value.exit == Exit.DATA
    assert "device@position" in caught.value.remedy


def test_files_are_compared_without_a_store(key, tmp_path, capsys):
    for name, position in (("a.cbor", 1), ("b.cbor", 2)):
        (tmp_path / name).write_bytes(make_observation("cam-1", position, EPOCH, key)[1])
    cli.compare([str(tmp_path / "a.cbor"), str(tmp_path / "b.cbor")])
    assert ": a.cbor and b.cbor\n" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\xd2\x84\x40\xa0\x01\x40", b"x" * 70_000])
def test_a_file_that_holds_no_observation_is_named(path, tmp_path, content):
    (tmp_path / "a.cbor").write_bytes(content)
    with pytest.raises(ReferenceUnknown, match=r"a\.cbor"):
        compared(path, str(tmp_path / "a.cbor"), "1")


def test_a_store_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match=r"nowhere\.db"):
        compared(tmp_path / "nowhere.db", "1", "2")
