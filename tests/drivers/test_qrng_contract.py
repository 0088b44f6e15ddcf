import os
import pty
import select
import threading
import tty
from fractions import Fraction

import pytest

from drivers.emulated.character import EmulatedCharacter
from drivers.emulated.faults import seeded
from drivers.emulated.idq250 import EmulatedIdq250
from drivers.emulated.microrng import EmulatedMicroRng
from drivers.emulated.qcicada import EmulatedQCicada
from drivers.emulated.tpm import EmulatedTpm
from drivers.errors import QrngError, QrngReason
from drivers.qrng.character import CharacterDevice
from drivers.qrng.idq250 import Idq250
from drivers.qrng.microrng import MicroRng
from drivers.qrng.qcicada import QCicada
from drivers.qrng.software import SoftwareQrng
from drivers.qrng.tpm import Tpm

EMULATED = {
    "microrng": lambda: MicroRng(bus=EmulatedMicroRng(noise=seeded(1))),
    "microrng, fixed clock": lambda: MicroRng(bus=EmulatedMicroRng(noise=seeded(1)), speed_hz=250_000),
    "qcicada": lambda: QCicada(port=EmulatedQCicada(noise=seeded(1))),
    "idq250": lambda: Idq250(bus=EmulatedIdq250(noise=seeded(1))),
    "tpm": lambda: Tpm(channel=EmulatedTpm(noise=seeded(1))),
    "emulated character": lambda: CharacterDevice(channel=EmulatedCharacter(noise=seeded(1))),
}


@pytest.fixture
def noisy_terminal():
    """A character device that serves random bytes as long as it is read."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    stop = threading.Event()

    def feed():
        while not stop.is_set():
            if select.select([], [master], [], 0.02)[1]:
                try:
                    os.write(master, os.urandom(512))
                except BlockingIOError:
                    stop.wait(0.001)

    feeder = threading.Thread(target=feed)
    feeder.start()
    yield os.ttyname(slave)
    stop.set()
    feeder.join()
    os.close(slave)
    os.close(master)


@pytest.fixture(params=[*EMULATED, "character", "software"])
def qrng(request):
    if request.param == "character":
        source = CharacterDevice(path=request.getfixturevalue("noisy_terminal"))
    else:
        source = EMULATED.get(request.param, SoftwareQrng)()
    yield source
    source.close()


def test_a_source_gives_exactly_the_number_of_samples_that_was_asked_for(qrng):
    qrng.open()
    for count in (0, 1, 255, 256, 257, 4096):
        samples = qrng.read(count)
        assert isinstance(samples, bytearray)
        assert len(samples) == count


def test_two_reads_give_different_samples(qrng):
    qrng.open()
    assert qrng.read(64) != qrng.read(64)


def test_an_identity_credits_at_most_nine_tenths_of_a_sample(qrng):
    identity = qrng.open()
    assert identity.sample_bits == 8
    assert 0 < identity.credit <= Fraction(9, 10) * identity.sample_bits
    assert identity.driver
    assert identity.model


def test_reading_a_closed_source_says_that_it_is_closed(qrng):
    with pytest.raises(QrngError) as caught:
        qrng.read(1)
    assert caught.value.reason is QrngReason.CLOSED


def test_closing_twice_is_harmless_and_a_source_opens_again(qrng):
    first = qrng.open()
    qrng.close()
    qrng.close()
    with pytest.raises(QrngError):
        qrng.read(1)
    assert qrng.open() == first
    assert len(qrng.read(16)) == 16


def test_only_a_hardware_source_is_not_marked_simulated():
    assert SoftwareQrng().open().simulated
    assert all(make().open().simulated for make in EMULATED.values())
