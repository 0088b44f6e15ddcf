"""Whole runs on a file system that is read-only but for the places that docs/install.md names."""

import os
import shlex
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

WRITABLE = {"capture": ("capture",), "relay": ("relay", "run"), "collector": ("store",)}
"""What stands for each process's StateDirectory, and for /run, where without systemd the relay makes its socket."""


@pytest.fixture
def read_only(site):
    """Start a process for which everything is read-only but the named folders."""
    if os.getuid() or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root can make mounts, and only with unshare")
    (site.folder / "run").mkdir()
    settings = site.folder / "speckled.toml"
    settings.write_text(settings.read_text().replace('socket = "relay.sock"', 'socket = "run/relay.sock"'))

    def start(name, writable=None):
        file = "collector.toml" if name == "collector" else "speckled.toml"
        mounts = ["mount --make-rprivate /"]
        for folder in WRITABLE[name] if writable is None else writable:
            path = shlex.quote(str(site.folder / folder))
            mounts.append(f"mount --bind {path} {path}")
        # Whatever else is mounted below the root, such as /tmp, would stay as it is.
        mounts.append(
            "awk '{print $5}' /proc/self/mountinfo | grep -vE '^/(proc|sys|dev)(/|$)' | while read -r place; do"
            f' case $place in {shlex.quote(str(site.folder))}/*) ;; *) mount -o remount,bind,ro "$place" ;; esac; done'
        )
        command = shlex.join([sys.executable, "-m", "edge", name, "--config", str(site.folder / file)])
        mounts.append(f"if touch {shlex.quote(str(site.folder / 'x'))} 2>/dev/null; then exit 99; fi")
        log = (site.folder / f"{name}.log").open("ab")
        site.processes[name] = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", " && ".join([*mounts, f"exec {command}"])],
            stdout=log,
            stderr=log,
            cwd=site.folder,
        )
        log.close()

    return start


def test_capture_relay_and_collector_run_where_only_their_state_can_be_written(site, read_only):
    for name in ("collector", "relay", "capture"):
        read_only(name)
    site.wait_for(site.stored)
    assert [site.stop(name) for name in ("capture", "relay", "collector")] == [0, 0, 0]
    assert not (site.folder / "x").exists()


def test_a_state_folder_that_cannot_be_written_is_named(site, read_only):
    read_only("relay")
    read_only("capture", writable=())
    assert site.wait_for_exit("capture") not in (0, 99)
    assert str(site.folder / "capture") in site.log("capture")
