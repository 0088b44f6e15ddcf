import os
import stat

import pytest

from edge.attest.programs import Answer
from edge.errors import ConfigError, InstallError
from edge.install.command import main
from edge.install.place import refuse_hidden
from edge.install.remove import WORD

PROGRAM = "/opt/elsewhere/bin/speckled"
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files to other groups")


class System:
    """A running system that does as it is told, and remembers."""

    def __init__(self, status=0):
        self.ran = []
        self.status = status

    def __call__(self, command, seconds=0):
        self.ran.append(" ".join(command))
        if "security" in command:
            return Answer(0, f"→ Overall exposure level for {command[-1]}: 0.6 SAFE")
        return Answer(self.status, "")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("root:x:0:\nspeckled:x:4242:\nspeckled-collector:x:4243:\n")
    return tmp_path


@pytest.fixture
def install(root, capsys):
    def call(*arguments, **rest):
        status = main([*arguments, "--root", str(root), "--program", PROGRAM], **rest)
        return status, capsys.readouterr().out

    return call


def tree(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_dry_run_shows_every_line_as_a_diff_and_changes_nothing(install, root):
    before = tree(root)
    status, out = install("--dry-run")
    assert status == 0
    assert "+++ /etc/systemd/system/speckled-capture.service" in out
    assert f"+ExecStart={PROGRAM} capture --config /etc/speckled/speckled.toml" in out
    assert tree(root) == before


def test_units_start_the_program_that_installed_them(install, root):
    install("--apply")
    for name in ("capture", "relay"):
        text = (root / f"etc/systemd/system/speckled-{name}.service").read_text()
        assert f"ExecStart={PROGRAM} {name}" in text
        assert "/opt/speckled/venv" not in text


def test_a_second_time_changes_nothing(install, root):
    install("--apply")
    before = tree(root)
    assert install("--apply")[1].splitlines()[-1] == "nothing to change"
    assert install("--dry-run")[1].splitlines()[-1] == "nothing to change"
    assert tree(root) == before


def test_an_upgrade_shows_the_changed_lines_and_replaces_them(install, root):
    install("--apply")
    status = main(["--apply", "--root", str(root), "--program", "/opt/next/bin/speckled"])
    assert status == 0
    assert "/opt/next" in (root / "etc/systemd/system/speckled-relay.service").read_text()


def test_a_unit_that_somebody_has_changed_is_kept_and_named(install, root):
    install("--apply")
    unit = root / "etc/systemd/system/speckled-capture.service"
    unit.write_text(unit.read_text() + "# mine\n")
    _, out = install("--apply")
    assert "speckled-capture.service: it was changed by hand" in out
    assert unit.read_text().endswith("# mine\n")
    install("--apply", "--force")
    assert "# mine" not in unit.read_text()


def test_settings_and_keys_are_never_written(install, root):
    etc = root / "etc/speckled"
    etc.mkdir()
    for name in ("speckled.toml", "device.key", "device.pub"):
        (etc / name).write_text("not what anybody would write")
    _, out = install("--apply")
    assert "no drop-ins for a broker or for credentials" in out
    assert {path.read_text() for path in etc.iterdir()} == {"not what anybody would write"}


@needs_root
def test_keys_are_for_root_only_and_settings_for_those_who_read_them(install, root):
    etc = root / "etc/speckled"
    etc.mkdir()
    for name in ("speckled.toml", "collector.toml", "device.key", "device.pub"):
        (etc / name).write_text("")
        (etc / name).chmod(0o666)
    install("--apply")
    found = {path.name: path.stat() for path in etc.iterdir()}
    rights = {name: (each.st_uid, each.st_gid, stat.S_IMODE(each.st_mode)) for name, each in found.items()}
    assert rights == {
        "speckled.toml": (0, 4242, 0o640),
        "collector.toml": (0, 4243, 0o640),
        "device.key": (0, 0, 0o600),
        "device.pub": (0, 0, 0o644),
    }
    assert install("--apply")[1].splitlines()[-1] == "nothing to change"


@needs_root
def test_a_link_in_the_place_of_a_key_is_left_alone(install, root):
    etc = root / "etc/speckled"
    etc.mkdir()
    target = root / "theirs"
    target.write_text("")
    target.chmod(0o604)
    (etc / "device.key").symlink_to(target)
    os.link(target, etc / "other.key")
    install("--apply")
    assert stat.S_IMODE(target.stat().st_mode) == 0o604


def test_a_collector_gets_its_unit_and_no_rules_for_devices(install, root):
    install("--apply", "--role", "collector")
    assert [path.name for path in (root / "etc/systemd/system").iterdir()] == ["speckled-collector.service"]
    assert not (root / "etc/udev").exists()


def test_both_roles_fit_on_one_machine(install, root):
    install("--apply")
    install("--apply", "--role", "collector")
    assert len(list((root / "etc/systemd/system").glob("*.service"))) == 3


def test_only_a_systemd_that_knows_them_is_given_the_newer_lines(install, root):
    library = root / "usr/lib/aarch64-linux-gnu/systemd"
    library.mkdir(parents=True)
    (library / "libsystemd-shared-252.so").touch()
    install("--apply")
    newer = root / "etc/systemd/system/speckled-capture.service.d/50-newer-systemd.conf"
    assert not newer.exists()
    (library / "libsystemd-shared-257.so").touch()
    install("--apply")
    assert "RestartMaxDelaySec=" in newer.read_text()


def test_the_running_system_is_told_once_and_an_image_leaves_it_alone(install, root):
    system = System()
    install("--apply", run=system)
    assert system.ran == []
    root.joinpath("etc/systemd/system/speckled-relay.socket").unlink()
    install("--apply", run=system, real=root)
    assert system.ran[0] == "systemctl daemon-reload"
    told = [line for line in system.ran if "security" not in line]
    assert len(system.ran) > len(told)
    install("--apply", run=system, real=root)
    assert [line for line in system.ran if "security" not in line] == told


def test_users_are_made_before_files_are_given_to_them(install, root):
    (root / "etc/group").write_text("root:x:0:\n")
    system = System()
    install("--apply", run=system, real=root)
    assert system.ran[:2] == ["systemd-sysusers speckled.conf", "systemd-tmpfiles --create speckled.conf"]


def test_users_that_cannot_be_made_end_the_installation(install, root):
    with pytest.raises(InstallError, match="systemd-sysusers"):
        install("--apply", run=System(status=1), real=root)


def test_the_exposure_of_the_units_is_written_where_capture_finds_it(install, root):
    install("--apply", run=System(), real=root)
    assert '"speckled-capture": 6' in (root / "var/lib/speckled/exposure.json").read_text()


def test_what_the_debian_package_brought_is_not_installed_a_second_time(install, root):
    install("--apply")
    unit = root / "usr/lib/systemd/system/speckled-capture.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    _, out = install("--apply")
    assert "removed" in out
    assert not (root / "etc/systemd/system/speckled-capture.service").exists()


def test_removing_leaves_settings_keys_ledger_and_outbox(install, root):
    install("--apply")
    held = [root / "etc/speckled/device.key", root / "var/lib/speckled/capture/ledger.jsonl"]
    for path in held:
        path.parent.mkdir(parents=True)
        path.write_text("x")
    system = System()
    _, out = install("--remove", run=system, real=root)
    assert system.ran[0].startswith("systemctl disable --now speckled-capture.service")
    assert "settings, keys, ledger, outbox" in out
    left = {path for path in root.rglob("*") if path.is_file()}
    assert left == {*held, root / "etc/group"}


def test_a_unit_that_somebody_has_changed_survives_removal(install, root):
    install("--apply")
    unit = root / "etc/systemd/system/speckled-relay.socket"
    unit.write_text("# mine\n")
    assert f"kept {unit}" in install("--remove")[1]
    assert unit.exists()


def test_a_purge_deletes_everything_but_only_after_the_word(install, root):
    install("--apply")
    ledger = root / "var/lib/speckled/capture/ledger.jsonl"
    ledger.parent.mkdir(parents=True)
    ledger.touch()
    assert install("--purge", ask=lambda: "yes\n")[0] == 1
    assert ledger.exists()
    assert install("--purge", ask=lambda: f"{WORD}\n")[0] == 0
    assert {path.name for path in root.rglob("*") if path.is_file()} == {"group"}


def test_removing_follows_no_manifest_out_of_etc(install, root):
    (root / "var/lib/speckled").mkdir(parents=True)
    victim = root / "victim"
    victim.write_text("")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (root / "var/lib/speckled/installed.json").write_text(
        f'{{"victim": "{empty}", "etc/../victim": "{empty}", "etc/group": 3}}'
    )
    install("--remove")
    assert victim.exists()


@pytest.mark.parametrize(
    "place", ["/home/pi/venv/bin/speckled", "/root/x/speckled", "/tmp/v/speckled", "/var/v/speckled"]
)
def test_a_program_that_the_units_could_not_start_is_refused(install, root, place):
    with pytest.raises(ConfigError, match="the units cannot execute") as caught:
        main(["--apply", "--root", str(root), "--program", place])
    assert "/opt/speckled/venv" in caught.value.remedy
    assert not (root / "etc/systemd").exists()


def test_a_python_that_the_units_could_not_read_is_refused(tmp_path):
    from pathlib import Path

    refuse_hidden(Path("/opt/v/bin/speckled"), Path("/usr"))
    with pytest.raises(ConfigError, match="/root"):
        refuse_hidden(Path("/opt/v/bin/speckled"), Path("/root/.pyenv/versions/3.11.7"))


def test_a_folder_that_cannot_be_written_ends_with_its_name(install, root):
    (root / "etc/systemd").write_text("a file where a folder should be")
    with pytest.raises(InstallError, match="etc/systemd"):
        install("--apply")


@pytest.mark.parametrize("role", ["device", "collector"])
def test_settings_that_cannot_be_read_do_not_keep_the_units_from_being_installed(install, root, role):
    (root / "etc/speckled").mkdir()
    for name in ("speckled.toml", "collector.toml"):
        (root / "etc/speckled" / name).write_text("[keys")
    _, out = install("--apply", "--role", role)
    assert "no drop-ins" in out
    assert list((root / "etc/systemd/system").glob("*.service"))
