import errno
import os
import shutil
import socket
import struct
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.emulated.faults import FaultKind, parse_fault, seeded
from drivers.emulated.tpm import EmulatedTpm
from drivers.errors import QrngError, QrngReason
from drivers.qrng import tpm_codec as codec
from drivers.qrng.tpm import CREDIT, Tpm, TpmNode


class Time:
    """Seconds that pass only when somebody sleeps."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class SocketChannel:
    """A TPM program at a UNIX stream socket, as swtpm offers it."""

    simulated = True

    def __init__(self, path):
        self.path = path
        self.socket = None

    def open(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)

    def transact(self, command):
        self.socket.sendall(command)
        response = bytearray(self.socket.recv(10))
        while len(response) < 10 or len(response) < int.from_bytes(response[2:6], "big"):
            part = self.socket.recv(4096)
            assert part
            response += part
        return response

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


@pytest.fixture(scope="module")
def swtpm(tmp_path_factory):
    """The socket of a TPM in software, started up."""
    program = shutil.which("swtpm")
    if program is None:
        pytest.skip("needs swtpm")
    folder = tmp_path_factory.mktemp("tpm")
    path = folder / "socket"
    arguments = ["socket", "--tpm2", "--tpmstate", f"dir={folder}", "--server", f"type=unixio,path={path}"]
    process = subprocess.Popen([program, *arguments, "--flags", "not-need-init,startup-clear"])
    try:
        for _ in range(500):
            if path.exists():
                break
            time.sleep(0.02)
        yield str(path)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=["emulated", "swtpm"])
def tpm(request):
    """The driver on a TPM, one at a time: swtpm serves a single connection."""
    if request.param == "swtpm":
        source = Tpm(channel=SocketChannel(request.getfixturevalue("swtpm")))
    else:
        source = Tpm(channel=EmulatedTpm(noise=seeded(1)))
    yield source
    source.close()


def source_of(*faults, **options):
    time = Time()
    chip = EmulatedTpm(noise=seeded(1), faults=tuple(map(parse_fault, faults)))
    return Tpm(channel=chip, clock=time, sleep=time.sleep, **options), chip, time


def failure(act, *arguments):
    with pytest.raises(QrngError) as caught:
        act(*arguments)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_tpm_gives_what_was_asked_for_however_short_its_answers_are(tpm):
    tpm.open()
    for count in (0, 1, 31, 32, 33, 64, 65, 1000):
        samples = tpm.read(count)
        assert isinstance(samples, bytearray)
        assert len(samples) == count
    assert tpm.read(64) != tpm.read(64)


def test_a_tpm_opens_again_as_the_same(tpm):
    first = tpm.open()
    tpm.close()
    tpm.close()
    assert failure(tpm.read, 1).reason is QrngReason.CLOSED
    assert tpm.open() == first
    assert len(tpm.read(100)) == 100


def test_a_tpm_is_conditioned_and_credited_with_little(tpm):
    identity = tpm.open()
    assert not identity.raw
    assert identity.credit == CREDIT <= 2
    assert identity.simulated
    assert identity.driver == "tpm"


def test_the_emulated_tpm_and_swtpm_agree_on_every_command_that_the_driver_sends(swtpm):
    model, real = EmulatedTpm(noise=seeded(1)), SocketChannel(swtpm)
    model.open()
    real.open()
    unknown = codec.command(0x1FF)
    no_count = codec.command(codec.GET_RANDOM)
    wanted = [codec.self_test(), codec.command(codec.GET_TEST_RESULT), codec.get_random(0), unknown, no_count]
    for command in wanted:
        assert model.transact(command) == real.transact(command)
    for count in (1, 16, 32):
        answers = [channel.transact(codec.get_random(count)) for channel in (model, real)]
        assert [answer[:12] for answer in answers] == [answers[0][:12]] * 2
    versions = [codec.version_of(codec.parse(c.transact(codec.get_version()))[1]) for c in (model, real)]
    assert all(len(version.manufacturer) >= 3 for version in versions)
    real.close()


def test_swtpm_says_itself_that_it_is_software(swtpm):
    channel = SocketChannel(swtpm)
    channel.simulated = False
    identity = Tpm(channel=channel).open()
    channel.close()
    assert identity.simulated
    assert identity.model.startswith("TPM 2.0 IBM SW TPM firmware 20")


def test_a_model_is_manufacturer_vendor_and_firmware():
    source, _, _ = source_of()
    assert source.open().model == "emulated TPM 2.0 SPKL emulated firmware 10002.3"


def test_an_answer_of_no_bytes_is_asked_for_again_until_the_deadline():
    class Empty(EmulatedTpm):
        def _random(self, parameters):
            return super()._random(b"\0\0")

    time = Time()
    source = Tpm(channel=Empty(), timeout=3, clock=time, sleep=time.sleep)
    source.open()
    assert failure(source.read, 1).reason is QrngReason.NOT_READY
    assert 3 <= time.now < 3.1


def test_an_answer_longer_than_what_was_asked_for_is_refused():
    class Generous(EmulatedTpm):
        def _random(self, parameters):
            return super()._random(b"\0\x20")

    source = Tpm(channel=Generous())
    source.open()
    assert failure(source.read, 8).reason is QrngReason.BUS


def test_a_tpm_that_tests_itself_is_waited_for_at_opening_and_while_it_is_read():
    slow, _, at_opening = source_of("slow-ready=5")
    slow.open()
    assert at_opening.now > 0
    slow, _, time = source_of("slow-ready=5@96")
    healthy, _, _ = source_of()
    slow.open()
    healthy.open()
    assert time.now == 0
    assert slow.read(512) == healthy.read(512)
    assert time.now > 0


def test_a_tpm_that_stays_busy_is_given_up_at_the_deadline():
    source, _, time = source_of("not-ready", timeout=2)
    assert failure(source.open).reason is QrngReason.NOT_READY
    assert 2 <= time.now < 2.1


def test_a_tpm_in_failure_mode_stays_refused_even_where_it_answers_again():
    source, chip, _ = source_of("status@64+32")
    source.open()
    error = failure(source.read, 512)
    assert error.reason is QrngReason.STATUS
    assert "TPM_RC_FAILURE" in error.detail
    chip._faults.draw(64)  # the fault is over
    again = failure(source.open)
    assert again.reason is QrngReason.STATUS
    assert "TPM_RC_FAILURE" in again.detail


def test_a_tpm_that_fails_with_its_last_byte_gives_none_of_them():
    source, chip, _ = source_of("status@64")
    source.open()
    assert failure(source.read, 64).reason is QrngReason.STATUS
    assert chip.drawn == 64


def test_another_refusal_is_no_failure_mode_and_may_be_over_at_the_next_opening():
    source, chip, _ = source_of("status=0x20@64+32")
    source.open()
    assert "TPM_RC_DISABLED" in failure(source.read, 512).detail
    chip._faults.draw(64)
    source.open()
    assert len(source.read(64)) == 64


OF_OPENING = {
    "stuck-00": QrngReason.BUS,
    "stuck-ff": QrngReason.BUS,
    "echo": QrngReason.IMPLAUSIBLE,
    "bit-slip": QrngReason.BUS,
    "drop": QrngReason.BUS,
    "duplicate": QrngReason.BUS,
    "eio": QrngReason.BUS,
    "emsgsize": QrngReason.BUS,
    "etimedout": QrngReason.BUS,
    "short": QrngReason.SHORT,
    "unplug": QrngReason.UNPLUGGED,
    "status": QrngReason.STATUS,
    "wrong-chip": QrngReason.WRONG_DEVICE,
    "not-ready": QrngReason.NOT_READY,
}
OF_READING = OF_OPENING | {
    "stuck": QrngReason.IMPLAUSIBLE,
    "dead": QrngReason.IMPLAUSIBLE,
    "repeat=32": QrngReason.IMPLAUSIBLE,
}


@pytest.mark.parametrize(("fault", "reason"), OF_OPENING.items())
def test_a_tpm_that_is_broken_when_it_is_opened_is_refused(fault, reason):
    source, _, _ = source_of(fault)
    assert failure(source.open).reason is reason
    assert failure(source.read, 1).reason is QrngReason.CLOSED


@pytest.mark.parametrize(("fault", "reason"), OF_READING.items())
def test_a_tpm_that_breaks_while_it_is_read_is_found_within_three_answers(fault, reason):
    source, chip, _ = source_of(f"{fault}@320")
    source.open()
    assert failure(source.read, 4096).reason is reason
    assert chip.drawn - 320 <= 96
    assert failure(source.read, 1).reason is QrngReason.CLOSED


@pytest.mark.parametrize("kind", [FaultKind.SLIP, FaultKind.MODE, FaultKind.SPEED])
def test_a_fault_of_something_that_a_tpm_does_not_have_changes_nothing(kind):
    healthy, _, _ = source_of()
    faulty, _, _ = source_of(kind.value)
    assert healthy.open() == faulty.open()
    assert healthy.read(512) == faulty.read(512)


def test_an_error_never_quotes_a_byte_of_an_answer():
    source, _, _ = source_of("stuck=0xb7@64")
    source.open()
    error = failure(source.read, 512)
    assert "b7" not in f"{error!r}"
    assert "183" not in f"{error!r}"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (0x1DA, "INSUFFICIENT for parameter 1"),
        (0x2C4, "VALUE for parameter 2"),
        (0xB0143, "COMMAND_CODE"),
        (0x1FE, "an error"),
    ],
)
def test_a_response_code_is_named_with_its_parameter_and_whatever_layer_sent_it(code, said):
    code, _ = codec.parse(bytearray(struct.pack(">HII", 0x8001, 10, code)))
    assert said in codec.refusal(code).detail


@given(st.binary(max_size=64))
def test_no_bytes_of_a_broken_device_make_the_codec_do_anything_but_refuse(answer):
    try:
        _, parameters = codec.parse(bytearray(answer))
        for read in (lambda data: codec.random_of(data, 32), codec.test_result_of, codec.version_of):
            try:
                read(parameters)
            except QrngError:
                continue
    except QrngError:
        return


@given(st.binary(max_size=64), st.integers(0, 80))
def test_a_response_to_getrandom_is_taken_only_with_the_size_that_it_says(data, asked):
    sized = memoryview(bytearray(len(data).to_bytes(2, "big") + data))
    if len(data) <= asked:
        assert codec.random_of(sized, asked) == data
    else:
        assert failure(codec.random_of, sized, asked).reason is QrngReason.BUS
    assert failure(codec.random_of, memoryview(bytearray(bytes(sized) + b"x")), asked).reason is QrngReason.BUS


class Kernel:
    """The kernel's side of /dev/tpmrm0: one message for each write, one for each read."""

    def __init__(self, chip):
        self.chip = chip
        self.chip.open()
        self.ends = []

    def open(self, path, flags, **_):
        assert flags & os.O_NONBLOCK
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ends.append(far)
        return near.detach()

    def write(self, descriptor, command):
        if self.chip:
            self.ends[-1].send(self.chip.transact(bytes(command)))
        return len(command)

    def close(self):
        for end in self.ends:
            end.close()


@pytest.fixture
def kernel(monkeypatch):
    kernel = Kernel(EmulatedTpm(noise=seeded(1)))
    monkeypatch.setattr("drivers.qrng.tpm.os.open", kernel.open)
    monkeypatch.setattr("drivers.qrng.tpm.os.write", kernel.write)
    yield kernel
    kernel.close()


def test_a_node_gives_the_driver_whole_responses(kernel):
    through, (direct, _, _) = Tpm(device="/dev/tpmrm0"), source_of()
    assert not through.open().simulated
    direct.open()
    assert through.read(200) == direct.read(200)
    through.close()


def test_a_tpm_that_does_not_answer_is_given_up(kernel):
    node = TpmNode(timeout=0.01)
    node.open()
    kernel.chip = None
    error = failure(node.transact, codec.self_test())
    assert error.reason is QrngReason.BUS
    assert "does not answer" in error.detail
    node.close()


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.EPIPE, QrngReason.UNPLUGGED), (errno.ENODEV, QrngReason.UNPLUGGED), (errno.ETIME, QrngReason.BUS)],
)
def test_an_error_of_the_kernel_says_whether_the_tpm_is_gone(kernel, monkeypatch, number, reason):
    def fail(descriptor, buffers):
        raise OSError(number, os.strerror(number))

    node = TpmNode()
    node.open()
    monkeypatch.setattr("drivers.qrng.tpm.os.readv", fail)
    assert failure(node.transact, codec.self_test()).reason is reason
    node.close()


@pytest.mark.parametrize(("there", "said"), [(False, "tpm_tis_spi is not loaded"), (True, "tpm_tis_spi is there")])
def test_a_missing_module_and_a_missing_tpm_are_told_apart(tmp_path, there, said):
    if there:
        (tmp_path / "class/tpm").mkdir(parents=True)
    error = failure(TpmNode("/dev/tpmrm250", sysfs=tmp_path).open)
    assert error.reason is QrngReason.NOT_FOUND
    assert said in error.detail
    assert "dtoverlay=tpm-slb9670" in error.remedy


def test_a_tpm_that_another_program_holds_is_asked_for_through_the_resource_manager(monkeypatch):
    def busy(*arguments, **options):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr("drivers.qrng.tpm.os.open", busy)
    error = failure(TpmNode("/dev/tpm0").open)
    assert error.reason is QrngReason.DENIED
    assert "/dev/tpmrm0" in error.remedy


def test_a_closed_node_says_so():
    assert failure(TpmNode().transact, b"").reason is QrngReason.CLOSED
