"""`speckled attest`: what it prints, what it writes, and the reports it checks."""

import base64
import json
import os

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.attest import command
from edge.attest.code import code_hash, installed_rooms
from edge.attest.exposure import read_exposure
from edge.attest.gather import gather
from edge.attest.look import Protection, look
from edge.attest.page import protection_lines
from edge.attest.programs import Answer
from edge.attest.tree import Tree
from edge.attest.units import exposure_of, running
from edge.errors import ConfigError
from wire.codec import encode
from wire.cose import sign
from wire.schema import CaptureReport, State
from wire.settings import SettingsError
from wire.topics import Topics

TOPIC = Topics("speckled", "ward-3").state


def scored(scores):
    def run(arguments):
        if arguments[0] != "systemd-analyze" or arguments[-1] not in scores:
            return Answer(1, "Unit x.service not found.\n")
        return Answer(0, f"✓ UMask=\n\n→ Overall exposure level for x.service: {scores[arguments[-1]]} SAFE :-}}\n")

    return run


def nothing_runs(_command):
    return None


@pytest.fixture
def report():
    found = gather(bytes(32))
    names = {field.name: field.default for field in msgspec.structs.fields(CaptureReport)}
    values = {
        "device": "ward-3", "at": 1, "state": "observing", "entropy": "healthy", "made": 3, "dropped": 0, "waiting": 0,
        "aimed": 0, "attestation": found,
    }  # fmt: skip
    return CaptureReport(**{name: value for name, value in values.items() if name in names})


@pytest.fixture
def device(tmp_path):
    key = Ed25519PrivateKey.generate()
    (tmp_path / "device.pub").write_bytes(
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    return key


def state_message(report, envelope, copy=None):
    signed = base64.b64encode(envelope).decode()
    state = State(state="online", session="1", software="x", capture=copy or report, signed=signed)
    return msgspec.json.encode(state)


def flipped(envelope):
    return envelope[:-1] + bytes([envelope[-1] ^ 1])


def checked(tmp_path, data, *more):
    (tmp_path / "state.json").write_bytes(data)
    return command.main(
        ["--check", str(tmp_path / "state.json"), "--key", str(tmp_path / "device.pub"), *more], run=nothing_runs
    )


def test_a_retained_message_that_the_device_signed_verifies_and_says_that_it_runs_this_code(
    tmp_path, device, report, capsys
):
    assert checked(tmp_path, state_message(report, sign(encode(report), device, TOPIC))) == 0
    printed = capsys.readouterr().out
    assert code_hash(installed_rooms()).hex() in printed
    assert "the same as here" in printed
    assert "ward-3" in printed


@pytest.mark.parametrize("form", [bytes, lambda envelope: envelope.hex().encode()])
def test_the_envelope_alone_verifies_as_well(tmp_path, device, report, form, capsys):
    assert checked(tmp_path, form(sign(encode(report), device, TOPIC)), "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["verified"] is True
    assert document["same_code"] is True
    assert document["report"]["attestation"]["code"] == report.attestation.code.hex()


def test_a_device_with_other_code_is_told_by_status_1(tmp_path, device, report, capsys):
    other = msgspec.structs.replace(report.attestation, code=bytes(range(32)))
    report = msgspec.structs.replace(report, attestation=other)
    assert checked(tmp_path, state_message(report, sign(encode(report), device, TOPIC))) == 1
    assert "OTHER than here" in capsys.readouterr().out


def test_an_unsigned_copy_that_says_something_else_is_not_verified(tmp_path, device, report, capsys):
    better = msgspec.structs.replace(report, dropped=report.made)
    data = state_message(report, sign(encode(report), device, TOPIC), copy=better)
    assert checked(tmp_path, data) == 65
    assert "NOT VERIFIED" in capsys.readouterr().out


@pytest.mark.parametrize(
    "spoil",
    [
        lambda report, _key: state_message(report, sign(encode(report), Ed25519PrivateKey.generate(), TOPIC)),
        lambda report, key: state_message(report, sign(encode(report), key, Topics("speckled", "ward-4").state)),
        lambda report, key: state_message(report, sign(encode(report), key, Topics("speckled", "ward-3").health)),
        lambda report, key: sign(encode(report), key, TOPIC)[:-1],
        lambda report, key: flipped(sign(encode(report), key, TOPIC)),
        lambda _report, _key: b'{"state": "offline", "session": "1", "software": "x"}',
        lambda _report, _key: b"{",
        lambda _report, _key: b'{"state": "online", "session": "1", "software": "x", "signed": "\xff"}',
        lambda _report, _key: b'{"state": "online", "session": "1", "software": "x", "signed": "%%"}',
        lambda _report, _key: b"",
        lambda _report, _key: b"[" * 9000,
    ],
)
def test_what_the_device_did_not_sign_for_its_topic_does_not_verify(tmp_path, device, report, spoil):
    with pytest.raises(command.ReportRefused) as refused:
        checked(tmp_path, spoil(report, device))
    assert refused.value.exit == 65


def test_a_topic_of_another_root_has_to_be_named(tmp_path, device, report):
    topic = Topics("site/a", "ward-3").state
    envelope = sign(encode(report), device, topic)
    with pytest.raises(command.ReportRefused):
        checked(tmp_path, envelope)
    assert checked(tmp_path, envelope, "--topic", topic) == 0


def test_a_missing_file_or_key_is_told_before_anything_is_checked(tmp_path, device):
    with pytest.raises(SettingsError):
        command.main(["--check", str(tmp_path / "none"), "--key", str(tmp_path / "device.pub")])
    with pytest.raises(SettingsError):
        command.main(["--check", str(tmp_path / "device.pub")])


def test_exposures_are_asked_of_systemd_and_written(tmp_path):
    path = tmp_path / "exposure.json"
    run = scored({"speckled-capture.service": "0.7", "speckled-relay.service": "1.1"})
    assert command.main(["--exposure", str(path)], run=run) == 0
    assert read_exposure(path) == {"speckled-capture": 7, "speckled-relay": 11}


def test_exposures_that_cannot_be_written_are_one_error_with_a_remedy(tmp_path):
    with pytest.raises(ConfigError) as error:
        command.main(["--exposure", str(tmp_path / "none" / "exposure.json")], run=nothing_runs)
    assert "root" in error.value.remedy


@pytest.mark.parametrize("text", ["", "→ Overall exposure level for x: 11.0 BAD", "Overall exposure level for x: bad"])
def test_a_score_that_cannot_be_read_is_left_out(text):
    assert exposure_of("x", lambda _command: Answer(0, text)) is None
    assert exposure_of("x", lambda _command: None) is None


def test_the_code_of_a_folder_is_the_code_of_the_same_files_elsewhere(tmp_path, capsys):
    for room, folder in installed_rooms().items():
        (tmp_path / room).symlink_to(folder)
    assert command.main(["--code", str(tmp_path)]) == 0
    assert command.main(["--code"]) == 0
    there, here = capsys.readouterr().out.split()
    assert there == here
    with pytest.raises(SettingsError):
        command.main(["--code", str(tmp_path / "edge" / "attest")])


def test_where_nothing_runs_the_page_is_of_this_machine_and_this_shell(tmp_path, capsys):
    config = ["--config", str(tmp_path / "none.toml")]
    assert command.main(config, run=nothing_runs) == 0
    text = capsys.readouterr().out
    assert "this shell" in text
    assert "none.toml" in text
    assert len(text.splitlines()) <= 24
    assert command.main([*config, "--json"], run=nothing_runs) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["processes"][0]["name"] == "this shell"
    assert document["configuration"] is None


def services(arguments):
    if arguments[0] == "systemctl" and arguments[-1] == "speckled-capture.service":
        return Answer(0, f"MainPID={os.getpid()}\nRestrictAddressFamilies=AF_UNIX\n")
    return Answer(0, "MainPID=0\nRestrictAddressFamilies=\n") if arguments[0] == "systemctl" else None


def test_where_services_run_the_page_is_of_them(capsys):
    assert [unit.pid for unit in running(services)] == [os.getpid()]
    assert command.main(["--config", "/none"], run=services) == 0
    text = capsys.readouterr().out
    assert f"speckled-capture, process {os.getpid()}" in text
    assert "this shell" not in text


def test_a_process_that_may_not_be_looked_at_is_said_to_need_root(tmp_path, capsys, monkeypatch):
    assert look(Tree(tmp_path), 1, "AF_UNIX") is None
    monkeypatch.setattr(command, "look", lambda *_: None)
    assert command.main(["--config", "/none"], run=services) == 0
    assert "only root" in capsys.readouterr().out


def test_a_sandboxed_process_is_found_so_from_outside(tmp_path):
    folder = tmp_path / "proc" / "812"
    (folder / "net").mkdir(parents=True)
    (folder / "status").write_text(
        "Uid:\t990\t990\t990\t990\nCapBnd:\t0\nCapInh:\t0\nCapPrm:\t0\nCapEff:\t0\nSeccomp:\t2\n"
    )
    (folder / "smaps").write_text("1000-2000 rw-p 00000000 00:00 0 \nVmFlags: rd wr lo\n")
    (folder / "net" / "dev").write_text("a\nb\n lo: 0\n")
    (folder / "coredump_filter").write_text("00000000\n")
    found = look(Tree(tmp_path), 812, "AF_UNIX")
    assert found is not None
    assert (found.locked_memory, found.core_dumps, found.network, found.filtered, found.privileges) == (
        True, False, False, True, False,
    )  # fmt: skip
    assert look(Tree(tmp_path), 812, "AF_UNIX AF_INET").network
    assert look(Tree(tmp_path), 812, "").network


def test_the_relay_is_not_blamed_for_its_network():
    nothing = Protection(locked_memory=False, core_dumps=True, network=True, filtered=False, privileges=True)
    relay = "\n".join(protection_lines("speckled-relay", nothing))
    assert (relay.count("NO"), "its task" in relay, "no frames" in relay) == (3, True, True)
    assert "\n".join(protection_lines("speckled-capture", nothing)).count("NO") == 5
