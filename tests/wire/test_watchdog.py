import threading

import pytest

from wire.service.notify import Notifier
from wire.service.progress import Progress
from wire.service.watchdog import Watchdog


class Manager(Notifier):
    def __init__(self):
        super().__init__("")
        self.signs = 0

    def alive(self):
        self.signs += 1


@pytest.fixture
def progress():
    return Progress()


@pytest.fixture
def manager():
    return Manager()


@pytest.fixture
def watchdog(manager, progress):
    return Watchdog(manager, progress, None)


def test_it_is_wound_up_while_something_gets_on(watchdog, manager, progress):
    for _ in range(3):
        progress.step("schedule")
        assert watchdog.look()
    assert manager.signs == 3


def test_a_process_in_which_nothing_moves_is_not_vouched_for(watchdog, manager, progress):
    progress.step("schedule")
    watchdog.look()
    assert not watchdog.look()
    assert manager.signs == 1


def test_a_stage_that_hangs_is_noticed_though_the_others_get_on(watchdog, progress, caplog):
    with progress.working("camera"):
        progress.step("schedule")
        assert watchdog.look()
        progress.step("schedule")
        assert not watchdog.look()
    assert "no progress: camera" in caplog.text
    assert watchdog.look()


def test_a_long_stage_that_makes_steps_is_vouched_for(watchdog, progress):
    with progress.working("entropy"):
        for _ in range(3):
            progress.step("entropy")
            assert watchdog.look()


def test_a_stage_that_has_nothing_to_do_need_not_move(watchdog, progress):
    with progress.working("description"):
        pass
    for _ in range(3):
        progress.step("schedule")
        assert watchdog.look()


def test_a_stage_that_ended_and_began_again_has_moved(watchdog, progress):
    progress.step("schedule")
    for _ in range(3):
        with progress.working("camera"):
            assert watchdog.look()


def test_where_nobody_watches_no_thread_runs(manager, progress):
    before = threading.active_count()
    Watchdog(manager, progress, None).start()
    assert threading.active_count() == before


def test_the_thread_looks_by_itself_until_it_is_stopped(manager, progress):
    watchdog = Watchdog(manager, progress, 0.03)
    watchdog.start()
    while manager.signs < 3:
        progress.step("schedule")
    watchdog.stop()
