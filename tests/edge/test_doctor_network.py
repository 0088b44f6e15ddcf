"""Does doctor say whether the network that the settings ask for is there and runs?"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from made_up_device import device, known

from edge.attest.programs import Answer
from edge.doctor import network
from edge.doctor.features import network as check
from edge.sections import FeaturesSettings
from models.load import load

MODELS = Path(__file__).resolve().parent.parent / "models"
GOOD = {"name": "n-1", "sha256": "ab" * 32, "seconds": 0.2, "milliseconds": 3.1}
REFUSED = {"error": "model n-1: n-1.onnx has SHA-256 aa, not bb", "remedy": "install it again"}


def found(tmp_path, answer, **keys):
    settings = known(features=FeaturesSettings(**keys))
    return check(device(tmp_path, answers={"edge.doctor.network": answer}, settings=settings))


def test_a_network_that_runs_is_told_with_its_hash_and_times(tmp_path):
    outcome = found(tmp_path, json.dumps(GOOD), method="learned")
    assert outcome.status == "ok"
    for part in ("n-1", "ab" * 32, "0.2 s", "3.1 ms"):
        assert part in outcome.detail


@pytest.mark.parametrize(("fallback", "status"), [("none", "fail"), ("sift", "warn")])
@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (json.dumps(REFUSED), "has SHA-256 aa, not bb"),
        (Answer(-4, ""), "status -4"),
        (Answer(0, "[]"), "status 0"),
        (None, "longer than 30 s"),
    ],
)
def test_one_that_is_refused_crashes_or_hangs_fails_unless_another_method_may_take_its_place(
    tmp_path, answer, says, fallback, status
):
    outcome = found(tmp_path, answer, method="learned", fallback=fallback)
    assert outcome.status == status
    assert says in outcome.detail
    assert outcome.remedy


def test_sift_is_not_asked_for_a_network(tmp_path):
    assert found(tmp_path, Answer(-4, ""), method="sift").status == "skip"


def test_what_is_looked_at_is_the_hash_of_the_file_and_two_times():
    pinned = {"tiny": hashlib.sha256((MODELS / "tiny.json").read_bytes()).hexdigest()}
    seen = network.look_at(load("tiny", folder=MODELS, pinned=pinned), 0.123)
    assert seen["name"] == "tiny"
    assert seen["sha256"] == hashlib.sha256((MODELS / "tiny.onnx").read_bytes()).hexdigest()
    assert seen["seconds"] == 0.12
    assert seen["milliseconds"] > 0


def test_the_program_answers_in_json_for_a_model_that_nobody_knows_too():
    command = [sys.executable, "-m", "edge.doctor.network", "no-such-model"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "no-such-model" in json.loads(done.stdout)["error"]
    assert done.stderr == ""
