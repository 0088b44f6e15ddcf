import dataclasses
import hashlib
import threading
import time
from fractions import Fraction

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.emulated.place import PlaceCamera
from drivers.errors import CameraError, CameraReason
from drivers.qrng.software import SoftwareQrng
from drivers.switch.file import FileSwitch
from edge.capture import Capture, Origin
from edge.errors import CameraUnavailable, EntropyUnavailable, Reason
from edge.features.classical import Classical
from edge.features.nested import Nest
from edge.frame import Frame
from edge.pace import Pace
from edge.privacy.ledger import Ledger, read_entries
from edge.privacy.plan import Curve, plan_for
from edge.privacy.profiles import Level, Profile, named
from edge.releases import ReleaseStore, ReleaseStoreError
from edge.stopping import StoppableQrng, Stopping
from edge.supervision import Supervision
from wire import schema
from wire.check import check
from wire.codec import decode
from wire.cose import verify
from wire.service.notify import Notifier
from wire.service.progress import Progress
from wire.topics import Topics

KEY = Ed25519PrivateKey.generate()
TOPICS = Topics("speckled", "ward-3")


class Pool:
    """A source that gives the same bytes each time until it is told to fail, in `take` or in `check`."""

    def __init__(self):
        self.fails = set()
        self.taken = 0

    def take(self, n):
        self._refuse("take")
        self.taken += 1
        return bytearray(hashlib.shake_256(str(self.taken).encode()).digest(n))

    def check(self):
        self._refuse("check")

    def provenance(self):
        return schema.Entropy(
            source="test",
            model="test",
            sample_bits=8,
            credit=Fraction(4),
            conditioning="none",
            construction="rbg3-xor",
            partners=[],
            simulated=False,
        )

    def _refuse(self, step):
        if step in self.fails:
            raise EntropyUnavailable(Reason.ENTROPY_REPETITION, "stuck", "replace it")


class Outgoing(list):
    hand_over = list.append


class Site:
    """A capture of two-frame windows over a small place."""

    def __init__(self, folder, frames=4):
        self.camera = PlaceCamera(width=64, height=64, frames=frames)
        self.pool, self.outgoing, self.folder, self.stop = Pool(), Outgoing(), folder, threading.Event()
        self.nest = None
        self.said, self.figures, self.progress = [], [], Progress()
        self.switch = FileSwitch(folder / "off")
        self.plan = plan_for(
            named("state-hour"),
            width=64,
            height=64,
            max_value=255,
            frame_rate=Fraction(1, 1800),
            curve=Curve("log"),
            tau=32,
        )

    @property
    def supervision(self):
        return Supervision(self.switch, self.progress, Notifier(""), self, self.figures.append)

    def say(self, word):
        self.said.append(word)

    def run(self):
        ledger = Ledger(
            self.folder / "ledger.jsonl",
            device="ward-3",
            configuration=bytes(32),
            terms=self.plan.terms,
            clock=lambda: 1_700_000_000_000,
            speedup=10**15,
        )
        try:
            Capture(
                camera=self.camera,
                identity=self.camera.open(),
                pool=self.pool,
                ledger=ledger,
                plan=self.plan,
                origin=Origin(TOPICS, KEY, "test", bytes(32), simulated=True),
                releases=ReleaseStore(self.folder / "releases", 4, epoch=ledger.epoch),
                describer=Classical(),
                outgoing=self.outgoing,
                pace=Pace(Fraction(10**6), time.monotonic_ns, resumed=False),
                wall_ms=lambda: 1_700_000_000_000,
                fuse=1,
                nest=self.nest,
                supervision=self.supervision,
            ).run(self.stop)
        finally:
            ledger.close()

    def charges(self):
        return [entry for entry in read_entries(self.folder / "ledger.jsonl") if entry["kind"] == "charge"]

    def observations(self):
        return [
            decode(verify(envelope, KEY.public_key(), TOPICS.observation), schema.Observation)
            for envelope in self.outgoing
        ]


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_each_full_window_becomes_one_observation_of_its_own_charge(site):
    site.run()
    charges, observations = site.charges(), site.observations()
    assert [o.receipt.position for o in observations] == [c["position"] for c in charges][:2]
    assert [(c["first_frame"], c["frames"]) for c in charges][:2] == [(0, 2), (2, 2)]
    assert [o.statement.lut.name for o in observations] == ["log", "residual"]


def test_levels_of_ones_own_with_gaussian_noise_are_charged_stated_and_checked(site):
    hours, day = Level("hours", 7200, 16, Fraction(1, 2)), Level("day", 14400, 64, Fraction(1, 2))
    profile = Profile("custom", 1, 3600, 1024, (hours, day), "discrete-gaussian", Fraction(1, 2**40))
    site.plan = plan_for(
        profile, width=64, height=64, max_value=255, frame_rate=Fraction(1, 3600), curve=Curve("clip", low=50), tau=None
    )
    site.run()
    assert [(c["level"], c["first_frame"], c["frames"]) for c in site.charges()][:3] == [
        ("hours", 0, 2),
        ("day", 0, 4),
        ("hours", 2, 2),
    ]
    for observation in site.observations():
        check(observation)
        assert (observation.statement.mechanism, observation.statement.lut.name) == ("discrete-gaussian", "clip")
        assert observation.statement.epsilon <= 1


def test_a_long_window_is_joined_with_the_shorter_ones_inside_it_and_names_them(site):
    half = Fraction(1, 2)
    hours, day = Level("hours", 7200, 32, half), Level("day", 14400, 16, half)
    site.plan = plan_for(
        Profile("custom", 1, 3600, 1024, (day, hours)),
        width=64,
        height=64,
        max_value=255,
        frame_rate=Fraction(1, 3600),
        curve=Curve("log"),
        tau=None,
    )
    site.nest = Nest()
    site.run()
    observations = {o.receipt.position: o for o in site.observations()}
    (day_position,) = (position for position, o in observations.items() if o.level == "day")
    assert observations[day_position].features.fused == sorted(observations)
    assert all(len(o.features.fused) == 1 for o in observations.values() if o.level == "hours")
    for observation in observations.values():
        check(observation)


def test_a_restart_uses_no_frame_number_again_and_goes_on_with_the_map(site):
    site.run()
    first = site.charges()
    site.outgoing.clear()
    site.run()
    again = site.charges()[len(first) :]
    assert again[0]["first_frame"] == max(c["first_frame"] + c["frames"] for c in first)
    assert site.observations()[0].statement.lut.name == "residual"


def test_a_source_that_fails_before_the_release_publishes_nothing_of_the_window(site):
    site.pool.fails = {"check"}
    with pytest.raises(EntropyUnavailable):
        site.run()
    assert site.outgoing == []
    assert not (site.folder / "releases").exists()


def test_a_source_that_fails_before_the_window_costs_no_charge(site):
    site.pool.fails = {"take"}
    with pytest.raises(EntropyUnavailable):
        site.run()
    assert site.charges() == []


def test_a_disk_that_takes_no_release_does_not_cost_the_observation_that_is_paid_for(site):
    (site.folder / "releases").write_text("")
    with pytest.raises(ReleaseStoreError):
        site.run()
    assert len(site.outgoing) == 1


def test_the_distance_to_the_next_frame_is_counted_from_when_each_has_come(site, monkeypatch):
    steps = []
    wait, read, taken = Pace.wait, site.camera.read, Pace.taken
    monkeypatch.setattr(Pace, "wait", lambda pace, *rest: steps.append("wait") or wait(pace, *rest))
    monkeypatch.setattr(Pace, "taken", lambda pace: steps.append("taken") or taken(pace))
    site.camera.read = lambda plane, deadline: (read(plane, deadline), steps.append("read"))
    site.run()
    assert steps == ["wait", "read", "taken"] * 4 + ["wait"]


def test_no_pixel_is_held_between_frames_nor_after_the_end(site, monkeypatch):
    planes, held = [], []
    fill = Frame.fill

    def watched(frame, camera, deadline):
        held.append(bool(frame._plane.any()))
        planes.append(frame._plane)
        fill(frame, camera, deadline)

    monkeypatch.setattr(Frame, "fill", watched)
    site.run()
    assert held == [False] * 5
    assert not any(plane.any() for plane in planes)


def test_a_camera_that_gives_up_ends_capture_with_its_reason_unless_it_was_to_stop_anyway(site):
    def lost(plane, deadline):
        raise CameraError(CameraReason.TIMEOUT, "no frame came in time", "Check the ribbon cable.")

    site.camera.read = lost
    with pytest.raises(CameraUnavailable, match="no frame came in time"):
        site.run()

    def asked_to_stop(plane, deadline):
        site.stop.set()
        lost(plane, deadline)

    site.camera.read = asked_to_stop
    site.run()
    assert site.outgoing == []


class Switch:
    """A privacy switch that is off for the looks that are named."""

    def __init__(self, off_at):
        self.looks, self.off_at = 0, off_at

    def off(self):
        self.looks += 1
        return self.looks in self.off_at

    def close(self):
        pass


class WatchedCamera(PlaceCamera):
    """Notes when it is opened, read and closed."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.calls = []

    def open(self):
        self.calls.append("open")
        return super().open()

    def read(self, plane, deadline):
        self.calls.append("read")
        super().read(plane, deadline)

    def close(self):
        self.calls.append("close")
        super().close()


def test_while_the_switch_is_off_the_camera_is_closed_and_the_open_window_is_given_up(site):
    site.camera = WatchedCamera(width=64, height=64, frames=2)
    site.switch = Switch({2, 3})
    site.run()
    assert site.camera.calls[:5] == ["open", "read", "close", "open", "read"]
    assert site.said == ["observing", "switched-off", "observing", "observing", "observing"]
    assert [charge["first_frame"] for charge in site.charges()] == [0, 2, 4]
    assert [observation.receipt.position for observation in site.observations()] == [site.charges()[1]["position"]]


def test_a_stop_while_the_switch_is_off_ends_capture_with_the_camera_closed(site, monkeypatch):
    site.camera = WatchedCamera(width=64, height=64)
    site.switch = Switch(range(1, 100))
    monkeypatch.setattr(site.stop, "wait", lambda timeout: site.switch.looks > 4)
    site.run()
    assert site.camera.calls == ["open", "close"]
    assert site.charges() == []


def test_another_camera_behind_the_switch_is_not_used(site):
    site.camera = WatchedCamera(width=64, height=64)
    site.switch = Switch({1})
    opened = site.camera.open

    def open_another():
        identity = opened()
        return identity if site.camera.calls.count("open") == 1 else dataclasses.replace(identity, model="another")

    site.camera.open = open_another
    with pytest.raises(CameraUnavailable, match="another one"):
        site.run()
    assert "read" not in site.camera.calls


class ChattyNotifier(Notifier):
    def __init__(self, words):
        super().__init__("")
        self.words = words

    def ready(self):
        self.words.append(f"ready after {len(self.words)}")


def chatty(site, words, monkeypatch):
    supervision = Supervision(site.switch, site.progress, ChattyNotifier(words), site, site.figures.append)
    monkeypatch.setattr(Site, "supervision", supervision)


def test_the_service_is_ready_once_its_first_window_is_open(site, monkeypatch):
    words = []
    charge = Ledger.charge
    monkeypatch.setattr(Ledger, "charge", lambda *a, **k: words.append("charged") or charge(*a, **k))
    monkeypatch.setattr(
        Site, "supervision", Supervision(site.switch, site.progress, ChattyNotifier(words), site, site.figures.append)
    )
    site.run()
    assert words[:2] == ["charged", "ready after 1"]


def test_a_source_that_fails_before_the_first_window_never_makes_the_service_ready(site, monkeypatch):
    words = []
    monkeypatch.setattr(
        Site, "supervision", Supervision(site.switch, site.progress, ChattyNotifier(words), site, site.figures.append)
    )
    site.pool.fails.add("take")
    with pytest.raises(EntropyUnavailable):
        site.run()
    assert words == []


def test_a_stop_in_the_middle_of_a_draw_charges_nothing(site):
    def stopped(n):
        raise Stopping

    site.pool.take = stopped
    with pytest.raises(Stopping):
        site.run()
    assert site.charges() == []


def test_a_source_is_not_read_any_more_once_the_process_is_to_end():
    stop, progress = threading.Event(), Progress()
    source = StoppableQrng(SoftwareQrng(), stop, progress)
    source.open()
    assert len(source.read(16)) == 16
    stop.set()
    with pytest.raises(Stopping):
        source.read(16)
    source.close()


def test_the_figures_follow_from_the_schedule(site):
    site.run()
    (figures,) = site.figures
    assert (figures.frames, figures.opened, figures.released) == (1, {"state": 1}, {"state": 0})
    assert figures.position == site.charges()[0]["position"]
    assert figures.epsilon == {"state-hour": site.plan.epsilon}


def test_a_camera_that_hangs_is_seen_by_the_watchdog(site):
    inside, end = threading.Event(), threading.Event()

    class Hanging(PlaceCamera):
        def read(self, plane, deadline):
            inside.set()
            end.wait(30)
            raise CameraError(CameraReason.ENDED, "ended", "none")

    site.camera = Hanging(width=64, height=64)
    thread = threading.Thread(target=site.run)
    thread.start()
    assert inside.wait(30)
    site.progress.stuck()
    assert site.progress.stuck() == ["camera"]
    end.set()
    thread.join(30)
