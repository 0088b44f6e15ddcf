import os
import struct

from drivers.emulated.faults import Fault, FaultKind, Faults, Noise
from drivers.errors import QrngError, QrngReason
from drivers.qrng.bus_error import bus_error

_HEADER = struct.Struct(">HII")
_NO_SESSIONS, _TPM12_TAG = 0x8001, 0x00C4
_SELF_TEST, _GET_CAPABILITY, _GET_RANDOM, _GET_TEST_RESULT = 0x143, 0x17A, 0x17B, 0x17C
_SUCCESS, _COMMAND_SIZE, _COMMAND_CODE, _INSUFFICIENT, _TESTING, _RETRY = 0, 0x142, 0x143, 0x1DA, 0x90A, 0x922
_TPM12_BAD_TAG = 0x1E
_PROPERTIES = {0x100: b"2.0\0", 0x105: b"SPKL", 0x106: b"emul", 0x107: b"ated", 0x10B: b"\0\1\0\2", 0x10C: b"\0\0\0\3"}


class EmulatedTpm:
    """A TPM 2.0 at the level of commands and responses, behind drivers.qrng.tpm.TpmChannel. Never a default.

    It knows SelfTest, GetTestResult, GetRandom and the fixed properties of GetCapability, and answers any other
    command as a TPM that does not have it. `digest`: bytes of its largest digest, and so of its longest GetRandom.
    """

    simulated = True

    def __init__(self, *, noise: Noise = os.urandom, faults: tuple[Fault, ...] = (), digest: int = 32) -> None:
        """A TPM that draws its bytes from `noise` and breaks as `faults` say."""
        self._faults = Faults(noise, faults, stream=True)
        self._digest = digest
        self._open = False
        self._polls = 0

    @property
    def drawn(self) -> int:
        """Bytes that GetRandom has given so far."""
        return self._faults.drawn

    def inject(self, fault: Fault) -> None:
        """As Faults.inject."""
        self._faults.inject(fault)

    def open(self) -> None:
        """As TpmChannel.open."""
        self._open = True

    def transact(self, command: bytes) -> bytearray:
        """As TpmChannel.transact."""
        if not self._open:
            raise QrngError(QrngReason.CLOSED, "the TPM is not open", "Open it first.")
        try:
            return bytearray(self._faults.wire(self._respond(command), command))
        except OSError as error:
            raise bus_error(error, "the emulated TPM") from None

    def close(self) -> None:
        """As TpmChannel.close."""
        self._open = False

    def _respond(self, command: bytes) -> bytes:
        if self._faults.active(FaultKind.WRONG_CHIP):
            return _HEADER.pack(_TPM12_TAG, _HEADER.size, _TPM12_BAD_TAG)
        if len(command) < _HEADER.size or _HEADER.unpack_from(command)[1] != len(command):
            return _response(_COMMAND_SIZE)
        code, parameters = _HEADER.unpack_from(command)[2], command[_HEADER.size :]
        # In failure mode a TPM still tells what it is and how its tests went (Part 1, Failure Mode).
        if code == _GET_CAPABILITY:
            return self._capability(parameters)
        failure, busy = self._failure(), self._busy()
        if code == _GET_TEST_RESULT and busy != _RETRY:
            return _response(_SUCCESS, b"\0\0" + (failure or busy).to_bytes(4, "big"))
        if failure or busy:
            return _response(failure or busy)
        return self._obey(code, parameters)

    def _obey(self, code: int, parameters: bytes) -> bytes:
        if code == _SELF_TEST:
            return _response(_SUCCESS)
        if code == _GET_RANDOM:
            return self._random(parameters)
        return _response(_COMMAND_CODE)

    def _failure(self) -> int:
        return 0x100 | self._faults.value(FaultKind.STATUS) if self._faults.active(FaultKind.STATUS) else _SUCCESS

    def _busy(self) -> int:
        if self._faults.active(FaultKind.NOT_READY):
            return _RETRY
        if self._faults.active(FaultKind.SLOW_READY):
            self._polls += 1
            if self._polls <= self._faults.value(FaultKind.SLOW_READY):
                return _TESTING
            self._faults.spend(FaultKind.SLOW_READY)
        self._polls = 0
        return _SUCCESS

    def _random(self, parameters: bytes) -> bytes:
        if len(parameters) != 2:
            return _response(_INSUFFICIENT)
        data = self._faults.draw(min(int.from_bytes(parameters, "big"), self._digest))
        return _response(_SUCCESS, len(data).to_bytes(2, "big") + data)

    def _capability(self, parameters: bytes) -> bytes:
        if len(parameters) != 12:
            return _response(_INSUFFICIENT)
        capability, first, many = struct.unpack(">III", parameters)
        wanted = [number for number in sorted(_PROPERTIES) if number >= first][:many]
        body = b"".join(number.to_bytes(4, "big") + _PROPERTIES[number] for number in wanted)
        return _response(_SUCCESS, b"\0" + struct.pack(">II", capability, len(wanted)) + body)


def _response(code: int, parameters: bytes = b"") -> bytes:
    return _HEADER.pack(_NO_SESSIONS, _HEADER.size + len(parameters), code) + parameters
