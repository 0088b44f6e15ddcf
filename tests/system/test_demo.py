import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(180)


def demo(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "demo", "--once", "--rate", "120", "--port", "0", "--folder", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_the_demo_publishes_verifies_acknowledges_and_matches_on_an_embedded_broker(tmp_path):
    result = demo(tmp_path, "--embedded-broker")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    assert "MQTT 3.1.1" in result.stdout
    assert "Passed." in result.stdout


@pytest.mark.broker
@pytest.mark.usefixtures("mosquitto")
@pytest.mark.data
def test_on_a_real_clip_and_a_real_broker_the_matches_are_of_the_room(tmp_path, shared_data):
    result = demo(tmp_path, "--video", str(shared_data / "person.mp4"))
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr
    assert "MQTT 5" in result.stdout
    assert "same place" in result.stdout


def test_a_run_that_is_too_short_to_compare_does_not_pass(tmp_path):
    result = demo(tmp_path, "--embedded-broker", "--windows", "1")
    assert result.returncode == 1
    assert "NOT passed" in result.stdout


def test_a_missing_clip_is_named(tmp_path):
    result = demo(tmp_path, "--video", "absent.mp4")
    assert result.returncode == 66
    assert "absent.mp4: no such file" in result.stderr
