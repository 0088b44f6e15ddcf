"""What `speckled compare` prints where likelihoods were weighed."""

import msgspec
import pytest
from factories import make_observation

from collector import cli
from collector.compare import Comparison

EPOCH = bytes(range(16))


def weighed(**changes):
    values = {
        "keypoints": (60, 50),
        "matches": ((0, 0), (1, 1), (2, 5)),
        "agrees": (True, True, False),
        "moved": (3.0, 4.0),
        "cosine": 0.81,
        "shared": 0,
        "verdict": "same place",
        "reason": "probability 0.995: 2 matches are more likely right than wrong",
        "probability": 0.995,
        "right": (0.9, 0.8, 0.1),
        "geometry": "as from a camera that stayed",
    }
    return Comparison(**{**values, **changes})


@pytest.fixture
def said(key, tmp_path, monkeypatch, capsys):
    for name, position in (("a.cbor", 1), ("b.cbor", 2)):
        (tmp_path / name).write_bytes(make_observation("cam-1", position, EPOCH, key)[1])

    def run(comparison):
        monkeypatch.setattr(cli, "compare_observations", lambda _a, _b: comparison)
        status = cli.compare([str(tmp_path / "a.cbor"), str(tmp_path / "b.cbor")])
        return status, capsys.readouterr().out

    return run


def test_the_expected_number_of_right_matches_and_the_probability_are_said(said):
    status, text = said(weighed())
    assert status == 0
    assert "1.8 of 3 matched keypoints are expected to be right (60 and 50 keypoints)" in text
    assert "probability 0.995" in text
    assert "4.0 px at most, as from a camera that stayed" in text


def test_the_classical_rule_counts_as_before(said):
    _, text = said(weighed(probability=None, right=(), geometry=""))
    assert "2 of 3 matched keypoints agree" in text
    assert "4.0 px at most\n" in text


def test_a_method_without_a_calibration_is_not_enough_to_tell(key):
    from collector.compare import compare_observations

    one, other = (make_observation("cam-1", position, EPOCH, key)[0] for position in (1, 2))
    one, other = (
        msgspec.structs.replace(side, features=msgspec.structs.replace(side.features, method="unknown/1"))
        for side in (one, other)
    )
    found = compare_observations(one, other)
    assert found.verdict == "not enough to tell"
    assert "no calibration for unknown/1" in found.reason
