"""Known frames go in; every byte that comes out of capture and relay is searched for them."""

import shutil
import subprocess

import pytest
from canary_rig import RELEASES, assert_no_leak, canary_of, files_of, finish, releases, start_under

from audit import trace
from audit.canary import Canary

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


def start_traced(site, name):
    start_under(site, name, trace.command(site.folder / "traces" / name))


def assert_the_search_works(frames, released, canary, captured):
    """A planted row is found among what was captured; so is what may leave, the sums of each release."""
    assert canary.find(captured["capture.log"] + frames[7][40].tobytes())
    witness = Canary()
    for release in released:
        witness.add_numbers(f"release {release.receipt.position}", release.sums)
    kept = b"".join(data for name, data in captured.items() if "releases/" in name)
    assert {name for name, _ in witness.find(kept)} == {f"release {release.receipt.position}" for release in released}


def test_no_raw_frame_is_on_any_disk_or_in_any_log_or_message(site, frames, listener):
    site.wait_for(lambda: listener.hear() is not None and listener.connected)
    site.start("collector", "relay", "capture")
    finish(site, listener)
    released = releases(site)
    assert len(released) == RELEASES
    canary = canary_of(frames, released)
    captured = files_of(site)
    captured["messages"] = b"".join(message.topic.encode() + message.payload for message in listener.hear())
    assert {"capture/ledger.jsonl", "relay/outbox.sqlite", "capture.log", "relay.log"} <= set(captured)
    assert len(set(listener.observations())) == RELEASES
    assert_the_search_works(frames, released, canary, captured)
    assert_no_leak(canary, captured)


@pytest.fixture
def strace(tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("needs strace: apt install strace")
    probe = [*trace.command(tmp_path / "probe"), "true"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("this system does not let one process trace another")


def test_no_raw_frame_is_in_any_byte_that_the_two_processes_write_or_send(site, frames, listener, strace):
    (site.folder / "traces").mkdir()
    site.wait_for(lambda: listener.hear() is not None and listener.connected)
    site.start("collector")
    start_traced(site, "relay")
    start_traced(site, "capture")
    finish(site, listener)
    site.wait_for(lambda: all(trace.ended(site.folder / "traces" / name) for name in ("relay", "capture")))
    capture, relay = (trace.read(site.folder / "traces" / name) for name in ("capture", "relay"))

    assert_capture_has_no_other_way_out(site, capture)
    assert_the_relay_sees_no_camera(site, relay)
    sent, published = streams_of(capture), streams_of(relay)
    assert_everything_was_captured(site, listener, sent, published)

    released = releases(site)
    canary = canary_of(frames, released)
    captured = {f"capture to {target}": data for target, data in sent.items()}
    captured |= {f"relay to {target}": data for target, data in published.items()}
    captured["names"] = b"\n".join({call.data for call in capture + relay if call.name in trace.PLACES})
    captured["files that are left"] = b"".join(files_of(site).values())
    assert canary.find(sent[str(site.folder / "capture" / "ledger.jsonl")] + frames[7][40].tobytes())
    assert_no_leak(canary, captured)


def streams_of(calls):
    """What was written to each file and socket, in the order of each thread."""
    streams = {}
    for call in calls:
        if call.name in trace.WRITES:
            streams.setdefault(call.target, bytearray()).extend(call.data)
    return {target: bytes(data) for target, data in streams.items()}


def assert_capture_has_no_other_way_out(site, calls):
    """No network, no other program, no memory that is shared with anyone, no call whose bytes are not seen.

    Capture tries once for each kind of address whether it could have a socket (edge/attest), and uses neither.
    """
    sockets = [call.arguments for call in calls if call.name in ("socket", "socketpair")]
    assert any(arguments.startswith("AF_UNIX") for arguments in sockets)
    tried = [arguments.partition(",")[0] for arguments in sockets if not arguments.startswith("AF_UNIX")]
    assert sorted(tried) in ([], ["AF_INET"], ["AF_INET", "AF_INET6"])
    used = [call for call in calls if call.name in {"connect", "bind", *trace.WRITES}]
    assert used
    assert [call for call in used if call.target.startswith(("TCP", "UDP"))] == []
    assert [call for call in calls if call.name in trace.UNSEEN] == []
    assert len([call for call in calls if call.name in trace.PROGRAMS]) == 1
    assert shared_memory(calls) == set()
    state, log = str(site.folder / "capture"), str(site.folder / "capture.log")
    files = {target for target in streams_of(calls) if target.startswith("/")}
    assert {target for target in files if not target.startswith(state)} <= {log}


def assert_the_relay_sees_no_camera(site, calls):
    opened = {call.path for call in calls if call.name in ("open", "openat", "openat2", "creat")}
    assert str(site.folder / "relay" / "outbox.sqlite") in opened
    secret = [str(site.folder / name) for name in ("frames", "capture", "device.key")]
    assert [path for path in opened if path.startswith(tuple(secret))] == []
    devices = {path for path in opened if path.startswith("/dev/")}
    assert devices <= {"/dev/null", "/dev/urandom", "/dev/random"}
    assert shared_memory(calls) <= {str(site.folder / "relay" / "outbox.sqlite-shm")}
    assert [call for call in calls if call.name in trace.UNSEEN] == []


def shared_memory(calls):
    """What is mapped so that writing to memory writes to it."""
    return {
        call.target
        for call in calls
        if call.name == "mmap" and "MAP_SHARED" in call.arguments and "PROT_WRITE" in call.arguments
    }


def assert_everything_was_captured(site, listener, sent, published):
    """The observations are among what capture sent and what the relay sent, the ledger among what capture wrote."""
    to_relay = b"".join(data for target, data in sent.items() if target.startswith("UNIX"))
    to_broker = b"".join(data for target, data in published.items() if target.startswith("TCP"))
    envelopes = listener.observations()
    assert len(set(envelopes)) == RELEASES
    assert all(envelope in to_relay and envelope in to_broker for envelope in envelopes)
    ledger = site.folder / "capture" / "ledger.jsonl"
    assert sent[str(ledger)] == ledger.read_bytes()
    assert len(published[str(site.folder / "relay" / "outbox.sqlite-wal")]) > sum(map(len, envelopes))
