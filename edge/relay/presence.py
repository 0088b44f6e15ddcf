import base64

import msgspec

from wire.schema import CaptureReport, State


class Presence:
    """What the retained state message says: whether the relay is there, and what capture last said of itself."""

    def __init__(self, session: str, software: str) -> None:
        """session: random, the same in birth, farewell and last will. software: name and version."""
        self._session = session
        self._software = software
        self._signed = b""
        self.word: CaptureReport | None = None

    def heard(self, report: CaptureReport, envelope: bytes) -> bool:
        """Capture's newest word, with its envelope. Whether it is news."""
        news = self.word is None or _said(report) != _said(self.word)
        self.word, self._signed = report, envelope
        return news

    def gone(self) -> bool:
        """Nobody stands behind the last word any more. Whether there was one."""
        had, self.word = self.word is not None, None
        return had

    @property
    def online(self) -> bytes:
        """The message while the relay is connected."""
        state = State(state="online", session=self._session, software=self._software)
        if self.word is not None:
            signed = base64.b64encode(self._signed).decode()
            state = msgspec.structs.replace(state, capture=self.word, signed=signed)
        return msgspec.json.encode(state)

    @property
    def offline(self) -> bytes:
        """The farewell, and the last will."""
        return msgspec.json.encode(State(state="offline", session=self._session, software=self._software))


def _said(report: CaptureReport) -> tuple[object, ...]:
    """What people and machines wait for in a report: all but its time and its counts."""
    return report.state, report.entropy, report.attestation
