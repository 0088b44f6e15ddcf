from edge.relay.troubles import QUIET, TEXTS, Troubles


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_trouble_is_said_once_again_after_a_while_and_anew_after_it_was_over(caplog):
    clock = Clock()
    troubles = Troubles(clock)
    for _ in range(3):
        troubles.say("disk", "it is full")
    assert caplog.messages == ["it is full"]
    clock.now += QUIET
    troubles.say("disk", "it is full")
    troubles.over("disk")
    troubles.say("disk", "it is full")
    assert caplog.messages == ["it is full"] * 3


def test_whoever_makes_ever_new_or_alternating_troubles_cannot_fill_the_log(caplog):
    troubles = Troubles(Clock())
    for number in range(1000):
        troubles.say("word", f"of kind {number % 2}")
        troubles.say("broker", f"number {number}")
    assert len(caplog.messages) == 2 + TEXTS
