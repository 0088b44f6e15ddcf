import base64
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.acknowledge import acknowledgements
from collector.check import check
from collector.errors import Reason, Rejected
from collector.keys import DeviceKeys
from collector.store import Ledger, Outcome, Store
from wire.codec import decode, encode
from wire.cose import Keys, sign, verify
from wire.errors import WireError
from wire.schema import CaptureReport, Observation, State
from wire.topics import Topics, parse

Message = tuple[str, bytes]
"""A topic and what came on it."""

STATE_LIMIT = 8192
"""Bytes of a state message; a longer one is not read."""

_REFUSED = {
    Outcome.EQUIVOCATION: (
        Reason.EQUIVOCATION,
        "another message is stored at this place of the ledger",
        "find out who else holds the device's key, or whether its ledger was restored from a copy",
    ),
    Outcome.CHAIN: (
        Reason.CHAIN,
        "the ledger's hash chain does not link it to the stored position beside it",
        "keep the ledger's file with the device's key; a new ledger begins a new epoch",
    ),
}


class Ingest:
    """Turns a batch of messages into one committed transaction and the acknowledgements that it allows.

    What is not an observation of a known device becomes a dead letter, and disturbs nothing beside it.
    """

    def __init__(
        self,
        store: Store,
        devices: DeviceKeys,
        *,
        root: str,
        key: Ed25519PrivateKey,
        report: Callable[[str, Rejected | WireError], None],
    ) -> None:
        """`report(device, why)` is called for each dead letter that is new."""
        self._store = store
        self._devices = devices
        self._root = root
        self._key = key
        self._report = report
        self.counts: Counter[str] = Counter()

    def take(self, batch: Iterable[Message]) -> list[Message]:
        """Check and commit a batch; returns the signed acknowledgements to publish, retained, in this order.

        When this returns, everything in the batch is on the disk and may be acknowledged to the broker.

        Raises:
            StoreUnavailable, StoreCorrupt: nothing of the batch is kept, and nothing may be acknowledged.
        """
        held: dict[Ledger, set[int]] = {}
        for topic, payload in batch:
            if topic.endswith("/state"):
                self._take_state(topic, payload)
            elif observation := self._take_observation(topic, payload):
                held.setdefault((observation.device, observation.receipt.epoch), set()).add(
                    observation.receipt.position
                )
        self._store.commit()
        return [message for ledger, positions in held.items() for message in self._acknowledge(ledger, positions)]

    def _take_observation(self, topic: str, payload: bytes) -> Observation | None:
        """The observation, where it is stored now or was before."""
        try:
            observation = check(topic, payload, self._root, self._devices.get)
        except (WireError, Rejected) as why:
            self._bury(topic, payload, why)
            return None
        outcome = self._store.add(observation, payload)
        if outcome in _REFUSED:
            self._bury(topic, payload, Rejected(*_REFUSED[outcome]))
            return None
        self.counts[outcome.value] += 1
        return observation

    def _bury(self, topic: str, payload: bytes, why: WireError | Rejected) -> None:
        device = _device_named_by(topic)
        reason = why.reason.value
        self.counts[reason] += 1
        if self._store.add_dead_letter(topic, device, payload, reason=reason, detail=why.detail):
            self._report(device, why)

    def _take_state(self, topic: str, payload: bytes) -> None:
        """A state is the relay's word, and shown for devices that are enrolled; nothing depends on it.

        That the camera is closed is shown on capture's signed word only.
        """
        device = _device_named_by(topic)
        key = self._devices.get(device) if device and len(payload) <= STATE_LIMIT else None
        if key is None:
            return
        try:
            state = msgspec.json.decode(payload, type=State)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        closed = state.state == "online" and _says_closed(state, key, topic)
        self._store.set_state(device, state, shown="switched-off" if closed else state.state)

    def _acknowledge(self, ledger: Ledger, positions: set[int]) -> list[Message]:
        device, epoch = ledger
        topic = Topics(self._root, device).ack
        stored, hash_at = self._store.stored(device, epoch), partial(self._store.hash_at, device, epoch)
        words = acknowledgements(device, epoch, stored, positions, hash_at)
        return [(topic, sign(encode(word), self._key, topic)) for word in words]


def _says_closed(state: State, key: Keys, topic: str) -> bool:
    """Whether capture has signed, for this topic, that the privacy switch is off."""
    try:
        envelope = base64.b64decode(state.signed or "", validate=True)
        return decode(verify(envelope, key, topic), CaptureReport).state == "switched-off"
    except (ValueError, WireError):
        return False


def _device_named_by(topic: str) -> str:
    try:
        return parse(topic)[0].device
    except WireError:
        return ""
