import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from factories import altered, make_features, make_observation
from factories import make_statement as factory_statement
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.commands import verify as command
from edge.privacy.chain import encode_line, read_chain
from edge.privacy.ledger import Ledger
from edge.privacy.plan import Curve, plan_for
from edge.privacy.profiles import PROFILES
from edge.privacy.schedule import Reference
from edge.privacy.statement import make_statement
from edge.verify.ledger import verify_ledger
from edge.verify.profile import verify_lut, verify_profile
from wire.codec import encode
from wire.cose import sign
from wire.exit import Exit
from wire.schema import Observation, Provenance
from wire.settings import SettingsError
from wire.topics import Topics
from wire.verify import Verdict, verify_message, verify_together

DOCS = Path(__file__).resolve().parents[2] / "docs"
KEY = Ed25519PrivateKey.from_private_bytes(b"d" * 32)
DEVICE = "ward-3"
CONFIGURATION = bytes(range(32))
START = 1_760_000_000_000
GAUSSIAN = replace(PROFILES["place"], name="gaussian", noise="discrete-gaussian", delta=Fraction(1, 10**9))


class Device:
    """A ledger that was charged for some windows, and an observation for each."""

    def __init__(self, path, profile=PROFILES["place"]):
        self.path = path
        self.plan = plan_for(
            profile, width=640, height=480, max_value=255, frame_rate=Fraction(1), curve=Curve("log"), tau=32
        )
        self.observations = []
        ledger = Ledger(
            path, device=DEVICE, configuration=CONFIGURATION, terms=self.plan.terms, clock=lambda: START,
            make_epoch=lambda: b"e" * 16,
        )  # fmt: skip
        levels = {level.name: level for level in self.plan.levels}
        residual = levels["state"].mechanism(Reference(np.full((7, 10), 90), wide=True))
        for level, mechanism, first in (
            ("map", levels["map"].mechanism(None), 0),
            ("state", levels["state"].mechanism(None), 0),
            ("state", residual, levels["state"].frames),
        ):
            self._observe(level, mechanism, ledger.charge(level, mechanism, first).redeem().to_wire())
        ledger.close()

    def _observe(self, level, mechanism, receipt):
        entropy = factory_statement().entropy
        statement = make_statement(self.plan, mechanism, entropy=entropy, pixel_source="luma", simulated=True)
        self.observations.append(
            Observation(
                device=DEVICE,
                level=level,
                receipt=receipt,
                opened=START,
                closed=START + mechanism.frames * 1000,
                statement=statement,
                features=make_features(receipt.position, keypoints=2),
                provenance=Provenance(software="speckled 0.1.0", camera="synthetic", configuration=CONFIGURATION),
            )
        )


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    return Device(tmp_path_factory.mktemp("device") / "ledger.jsonl")


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "device.pub"
    path.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.fixture
def run(tmp_path, key_file, capsys):
    """Runs `speckled verify` on observations that are signed again, and gives the status and what was printed."""

    def run(observations, *arguments):
        paths = []
        for number, observation in enumerate(observations):
            paths.append(tmp_path / f"{number}.cbor")
            paths[-1].write_bytes(sign(encode(observation), KEY, Topics("speckled", observation.device).observation))
        previous = ["--previous", *map(str, paths[1:])] if paths[1:] else []
        status = command([str(paths[0]), "--key", str(key_file), *previous, *map(str, arguments)])
        return status, capsys.readouterr().out

    return run


def failing(findings):
    return [finding.name for finding in findings if finding.verdict is Verdict.FAILS]


def failed_lines(text):
    return [line.split()[1] for line in text.splitlines() if line.startswith("  FAILS")]


def stated(observation, **changes):
    return altered(observation, statement=altered(observation.statement, **changes))


def test_what_a_device_signed_holds_alone_together_and_against_its_ledger(device, run):
    for arguments in ((), ("--ledger", device.path)):
        status, text = run(device.observations, *arguments)
        assert (status, failed_lines(text)) == (Exit.OK, [])
        assert "  open" not in text
        assert "for one visit shorter than 10 min with at most 1024 pixels in view of this camera" in text
        assert text.splitlines()[-1].startswith("verified [SIMULATED]: of the checks, ")


@pytest.mark.parametrize("level", [0, 1, 2])
def test_each_window_is_what_its_profile_and_its_ledger_entry_say(device, level):
    observation = device.observations[level]
    found = [verify_lut(observation), *verify_profile(observation)]
    found += verify_ledger(device.path.read_bytes(), "ledger.jsonl", [observation])
    assert {finding.verdict for finding in found} == {Verdict.HOLDS}


def test_gaussian_noise_is_compared_with_its_ledger_and_its_delta_is_shown(tmp_path, run):
    device = Device(tmp_path / "gaussian.jsonl", GAUSSIAN)
    status, text = run(device.observations, "--ledger", device.path)
    assert (status, failed_lines(text)) == (Exit.OK, [])
    assert "  δ = 1/1000000000" in text
    assert "  holds  rho " in text


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"frames": 86399}, "window"),
        ({"rows": 29}, "grid"),
        ({"profile": "map-week"}, "window"),
        ({"profile": "resident"}, "profile"),
        ({"profile": "month"}, "profile"),
        ({"mechanism": "discrete-gaussian"}, "mechanism"),
        ({"scale": 10**12}, "scale"),
        ({"scale": 1_257_062_401}, "scale"),
        ({"scale": 1_257_062_399}, "scale"),
        ({"epsilon": Fraction(2)}, "budget"),
    ],
)
def test_parameters_that_the_named_profile_does_not_give_fail_their_line(device, change, name):
    assert name in failing(verify_profile(stated(device.observations[0], **change)))


@pytest.mark.parametrize(
    ("name", "lut_range", "parameter", "holds"),
    [
        ("linear", 255, 0, True), ("linear", 65536, 0, False), ("log", 1023, 64, True), ("log", 1022, 64, False),
        ("log", 1023, 0, False), ("clip", 100, 65435, True), ("clip", 100, 65436, False), ("residual", 64, 32, True),
        ("residual", 64, 33, False),
    ],
)  # fmt: skip
def test_a_lut_has_the_range_that_its_name_and_parameter_give(device, name, lut_range, parameter, holds):
    lut = msgspec.structs.replace(device.observations[0].statement.lut, name=name, range=lut_range, parameter=parameter)
    assert (verify_lut(stated(device.observations[0], lut=lut)).verdict is Verdict.HOLDS) == holds


def test_a_profile_of_ones_own_is_said_and_does_not_fail(device, run):
    status, text = run([stated(device.observations[0], profile="custom")])
    assert status == Exit.OK
    assert "  open   profile    `custom` is none of place, " in text
    assert "1 could not be made" in text.splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"level": "state"}, ["charge"]),
        ({"provenance": {"configuration": bytes(32)}}, ["promise"]),
        ({"receipt": {"hash": b"\1" * 32}}, ["entry"]),
        ({"receipt": {"previous": b"\1" * 32}}, ["entry"]),
        ({"receipt": {"epoch": bytes(16)}}, ["entry"]),
        ({"receipt": {"position": 3}}, ["entry", "charge"]),
        ({"receipt": {"position": 1}}, ["entry"]),
        ({"receipt": {"position": 9}}, ["entry"]),
        ({"statement": {"scale": 10**12}}, ["charge"]),
        ({"statement": {"cell": 17}}, ["charge"]),
        ({"statement": {"rows": 3}}, ["charge"]),
        ({"statement": {"columns": 3}}, ["charge"]),
        ({"statement": {"frames": 3}}, ["charge"]),
        ({"statement": {"lut": {"name": "linear"}}}, ["charge"]),
        ({"statement": {"lut": {"parameter": 9}}}, ["charge"]),
        ({"statement": {"lut": {"range": 9}}}, ["charge"]),
        ({"statement": {"unit": {"pixels": 9}}}, ["promise"]),
        ({"statement": {"unit": {"visits": 9}}}, ["promise"]),
        ({"statement": {"unit": {"seconds": 9}}}, ["promise"]),
        ({"statement": {"frame_rate": Fraction(9)}}, ["promise"]),
        ({"statement": {"cost_total": Fraction(9)}}, ["promise"]),
        ({"statement": {"cost_total": Fraction(1, 10**9)}}, ["promise", "spent"]),
        ({"device": "ward-4"}, ["promise"]),
    ],
)
def test_a_message_that_its_ledger_entry_does_not_bear_out_fails_its_line(device, change, names):
    observation = deeply(device.observations[0], change)
    assert failing(verify_ledger(device.path.read_bytes(), "ledger.jsonl", [observation])) == names


def deeply(value, changes):
    """A struct with parts of its parts replaced; the newest fused position follows the receipt's."""
    if not isinstance(changes, dict):
        return changes
    made = {name: deeply(getattr(value, name), change) for name, change in changes.items()}
    if isinstance(value, Observation) and "receipt" in made:
        made["features"] = altered(value.features, fused=[made["receipt"].position])
    return altered(value, **made)


def rewritten(entries):
    """A ledger of these entries with a chain of its own."""
    previous, lines = bytes(32), []
    for entry in entries:
        line, previous = encode_line(previous, {key: value for key, value in entry.items() if key != "hash"})
        lines.append(line)
    return b"".join(lines)


def test_a_ledger_whose_chain_or_sums_are_not_whole_fails_in_one_line(device):
    data = device.path.read_bytes()
    entries, _ = read_chain(data, "ledger.jsonl")
    again = {**entries[-1], "position": 5}
    for hostile in (data.replace(b'"rows":7', b'"rows":8'), b"x" * 100 + b"\n", rewritten([*entries, again])):
        (finding,) = verify_ledger(hostile, "ledger.jsonl", device.observations)
        assert finding.verdict is Verdict.FAILS
        assert "ledger.jsonl: line " in finding.text


def test_a_ledger_that_was_written_anew_has_other_hashes(device):
    entries, _ = read_chain(device.path.read_bytes(), "ledger.jsonl")
    other = rewritten([{**entries[0], "time": 1}, *entries[1:]])
    assert failing(verify_ledger(other, "ledger.jsonl", device.observations)) == ["entry"] * 3


def test_a_ledger_that_ends_before_the_message_does_not_bear_it_out(device):
    short = b"".join(device.path.read_bytes().splitlines(keepends=True)[:2])
    (_, *found) = verify_ledger(short, "ledger.jsonl", device.observations)
    assert failing(found) == ["entry", "entry"]
    assert found[-1].text == "ward-3, position 4: the ledger ends at 2"


RATIONAL = st.fractions(min_value=Fraction(1, 10**6), max_value=10**6, max_denominator=10**6)
NUMBER = st.integers(1, 2**40)
MATTERS = {
    "guarantee": st.sampled_from(["local-dp", "metric-dp", "dataset-dp", "none"]),
    "mechanism": st.just("discrete-gaussian"),
    "profile": st.sampled_from([name for name in PROFILES if name != "place"]),
    "epsilon": RATIONAL,
    "epsilon_level": RATIONAL,
    "delta": RATIONAL,
    "rho": RATIONAL,
    "slope": RATIONAL,
    "cost_total": RATIONAL,
    "frame_rate": RATIONAL,
    **dict.fromkeys(("scale", "frames", "cell", "rows", "columns"), NUMBER),
    **{f"unit.{name}": NUMBER for name in ("visits", "seconds", "frames", "pixels")},
    "lut.name": st.sampled_from(["linear", "clip", "residual"]),
    "lut.range": NUMBER,
    "lut.parameter": NUMBER,
    "simulated": st.just(False),
}


@pytest.mark.parametrize("field", MATTERS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_statement_with_any_one_field_changed_does_not_verify(device, key_file, tmp_path, field, data):
    observation = device.observations[0]
    outer, _, inner = field.partition(".")
    value = data.draw(MATTERS[field])
    part = getattr(observation.statement, outer)
    if value == (getattr(part, inner) if inner else part):
        return
    forged = stated(observation, **{outer: altered(part, **{inner: value}) if inner else value})
    path = tmp_path / "forged.cbor"
    path.write_bytes(sign(encode(forged), KEY, Topics("speckled", DEVICE).observation))
    assert command([str(path), "--key", str(key_file), "--ledger", str(device.path)]) == Exit.DATA


def test_a_forged_promise_that_is_consistent_shows_its_own_epsilon_and_fails_against_the_ledger(device, run):
    """Ten times the noise, with every sum to match: only the profile and the ledger can tell."""
    statement = device.observations[0].statement
    forged = stated(
        device.observations[0],
        scale=statement.scale * 10,
        slope=statement.slope / 10,
        epsilon_level=statement.epsilon_level / 10,
        profile="custom",
    )
    status, text = run([forged])
    assert status == Exit.OK
    assert f"ε = {statement.epsilon_level / 10}" in text
    status, text = run([forged], "--ledger", device.path)
    assert (status, failed_lines(text)) == (Exit.DATA, ["charge"])


@pytest.mark.parametrize("data", [b"", bytes(65536), b"\x81" * 65536, b"00" * 70000, b"\xff" * 500, b"d2 84 4"])
def test_hostile_files_fail_in_one_line_and_never_with_a_traceback(tmp_path, key_file, capsys, data):
    path = tmp_path / "hostile.cbor"
    path.write_bytes(data)
    assert command([str(path), "--key", str(key_file)]) == Exit.DATA
    text = capsys.readouterr().out
    assert len(failed_lines(text)) == 1
    assert text.splitlines()[-1].startswith("NOT VERIFIED: of the checks, ")


def test_another_key_fails_at_the_signature(device, run, tmp_path):
    stranger = tmp_path / "stranger.pub"
    other = Ed25519PrivateKey.from_private_bytes(b"e" * 32).public_key()
    stranger.write_bytes(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    status, text = run(device.observations[:1], "--key", stranger)
    assert (status, failed_lines(text)) == (Exit.DATA, ["signature"])
    assert "ε =" not in text


def test_a_topic_that_is_given_is_compared(device, run):
    topic = Topics("speckled", DEVICE).observation
    assert run(device.observations[:1], "--topic", topic)[0] == Exit.OK
    status, text = run(device.observations[:1], "--topic", topic.replace("speckled", "hospital"))
    assert (status, failed_lines(text)) == (Exit.DATA, ["signature"])


def test_json_says_the_same_for_programs(device, run):
    status, text = run(device.observations, "--ledger", device.path, "--json")
    document = json.loads(text)
    assert (status, document["verified"]) == (Exit.OK, True)
    assert [message["position"] for message in document["messages"]] == [2, 3, 4]
    assert [Fraction(message["epsilon"]) for message in document["messages"]] == [device.plan.epsilon] * 3
    assert document["messages"][0]["simulated"] is True
    assert {check["verdict"] for check in document["ledger"]} == {"holds"}
    assert document["not_checked"]


def test_a_name_that_would_move_the_cursor_is_shown_without_it(device, run):
    status, text = run([altered(device.observations[0], level="map\n  holds  signature\x1b[1A")])
    assert status == Exit.DATA
    assert "\x1b" not in text
    assert sum(line.startswith("  holds  signature") for line in text.splitlines()) == 1


@pytest.mark.parametrize("missing", ["observation", "key", "ledger"])
def test_a_file_that_cannot_be_read_is_one_line_with_a_remedy(device, key_file, tmp_path, missing):
    path = tmp_path / "0.cbor"
    path.write_bytes(b"\0")
    named = {"observation": path, "key": key_file, "ledger": device.path, missing: tmp_path / "nowhere"}
    with pytest.raises(SettingsError) as caught:
        command([str(named["observation"]), "--key", str(named["key"]), "--ledger", str(named["ledger"])])
    assert "nowhere: No such file or directory" in str(caught.value)
    assert caught.value.exit == Exit.CONFIG


def test_hexadecimal_text_is_read_as_the_message_it_spells(tmp_path, key_file, capsys):
    _, envelope = make_observation("cam-1", 3, bytes(range(16)), KEY, keypoints=2, level="map")
    path = tmp_path / "message.hex"
    path.write_text("\n".join(envelope.hex()[at : at + 96] for at in range(0, 2 * len(envelope), 96)) + "\n")
    assert command([str(path), "--key", str(key_file)]) == Exit.OK
    assert "holds  signature" in capsys.readouterr().out


def test_the_documentation_shows_what_the_command_prints_for_the_example(monkeypatch, capsys):
    monkeypatch.chdir(DOCS.parent)
    assert command(["docs/example-observation.hex", "--key", "docs/example-device.pub"]) == Exit.OK
    assert f"```\n{capsys.readouterr().out}```\n" in (DOCS / "verify.md").read_text(encoding="utf-8")


def test_the_documentation_has_a_row_for_every_line_that_can_be_printed(device, tmp_path):
    told = (DOCS / "verify.md").read_text(encoding="utf-8")
    gaussian = Device(tmp_path / "gaussian.jsonl", GAUSSIAN)
    found = verify_together(device.observations) + verify_ledger(device.path.read_bytes(), "name", device.observations)
    for each in (device, gaussian):
        envelope = sign(encode(each.observations[0]), KEY, Topics("speckled", DEVICE).observation)
        found += verify_message(envelope, KEY.public_key()).findings
        found += [verify_lut(each.observations[0]), *verify_profile(each.observations[0])]
    rows = [line.split("|")[1] for line in told.splitlines() if line.startswith("| `")]
    assert {finding.name for finding in found} <= {name.strip(" `") for row in rows for name in row.split(",")}


def test_it_needs_neither_camera_nor_broker_nor_picture_library():
    code = (
        "import sys, edge.verify.command\n"
        "print(*{'cv2', 'paho', 'drivers', 'sqlite3', 'picamera2'} & {name.split('.')[0] for name in sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_the_command_is_named_without_loading_what_it_needs():
    code = "import sys, edge.commands; print('wire.verify' in sys.modules, 'edge.verify.command' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["False", "False"]
