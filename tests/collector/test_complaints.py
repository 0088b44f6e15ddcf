from collector.complaints import QUIET, SUBJECTS, Complaints
from wire.errors import WireError, WireReason


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_device_that_sends_garbage_gets_one_line_per_reason_in_ten_minutes(caplog):
    clock = Clock()
    complaints = Complaints(clock)
    for _ in range(500):
        complaints.report("cam", WireError(WireReason.SIGNATURE, "not this device's key"))
        complaints.report("cam", WireError(WireReason.SCHEMA, "too small"))
        complaints.report("cab", WireError(WireReason.SCHEMA, "too small"))
        clock.now += 1
    assert len(caplog.messages) == 3
    clock.now += QUIET
    complaints.report("cam", WireError(WireReason.SCHEMA, "too small"))
    assert len(caplog.messages) == 4
    assert "(499 more like it meanwhile)" in caplog.messages[-1]


def test_a_sender_who_makes_up_devices_cannot_fill_the_log_or_the_memory(caplog):
    complaints = Complaints(Clock())
    for number in range(5000):
        complaints.report(f"cam-{number}", WireError(WireReason.SIGNATURE, "unknown"))
    assert len(caplog.messages) == SUBJECTS + 1
    assert "too many to name each" in caplog.messages[-1]
    assert len(complaints._said) == SUBJECTS + 1


def test_what_has_been_quiet_makes_room_for_others(caplog):
    clock = Clock()
    complaints = Complaints(clock)
    for number in range(SUBJECTS):
        complaints.report(f"cam-{number}", WireError(WireReason.SIGNATURE, "unknown"))
    clock.now += QUIET
    complaints.report("ward-3", WireError(WireReason.SIGNATURE, "unknown"))
    assert "dead letter from ward-3" in caplog.messages[-1]
