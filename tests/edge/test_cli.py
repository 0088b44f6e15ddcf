import subprocess
import sys
from pathlib import Path

import pytest

from edge import cli
from edge.errors import ConfigError, Reason
from wire.exit import Exit


class Point:
    """An entry point whose command does what it is told."""

    name = "try"

    def __init__(self, error):
        self.error = error

    def load(self):
        def command(_arguments):
            if self.error:
                raise self.error
            return Exit.OK

        return command


@pytest.fixture
def run(monkeypatch):
    def run(error, *arguments):
        monkeypatch.setattr(cli, "entry_points", lambda group: [Point(error)])
        monkeypatch.setattr(cli.sys, "argv", ["speckled", *arguments])
        return cli.main()

    return run


def test_an_expected_error_is_one_line_with_its_remedy_and_its_status(run, capsys):
    error = ConfigError(Reason.CONFIG, "the key is odd", "make it even")
    assert run(error, "try") == Exit.CONFIG
    assert capsys.readouterr().err == "speckled: bad-configuration: the key is odd. Make it even.\n"


def test_a_defect_keeps_its_traceback_and_has_a_status_of_its_own(run, capsys):
    assert run(ZeroDivisionError("oops"), "try") == Exit.INTERNAL
    assert "Traceback" in capsys.readouterr().err


def test_a_missing_module_names_the_extra_that_brings_it(run, capsys):
    assert run(ModuleNotFoundError("x", name="starlette"), "try") == Exit.CONFIG
    assert "speckled[collector]" in capsys.readouterr().err


def test_an_unknown_command_points_to_the_list(run, capsys):
    assert run(None, "tri") == Exit.USAGE
    assert "speckled --help" in capsys.readouterr().err


def test_help_lists_the_commands_and_no_arguments_are_a_usage_error(run, capsys):
    assert run(None, "--help") == Exit.OK
    assert "try" in capsys.readouterr().out
    assert run(None) == Exit.USAGE


def test_a_command_that_works_gives_its_own_status(run):
    assert run(None, "try") == Exit.OK


def test_the_list_of_commands_is_shown_without_loading_numpy_or_a_driver():
    code = (
        "import sys; sys.argv = ['speckled', '--help']; from edge.cli import main; main();"
        "loaded = {'numpy', 'drivers', 'msgspec', 'cv2'} & set(sys.modules); print(*loaded, file=sys.stderr, end='')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    assert "qrng       list, probe, test and commission" in result.stdout


def test_the_status_is_the_documented_one_where_standard_error_cannot_be_written():
    with Path("/dev/full").open("w", encoding="ascii") as full:
        command = [sys.executable, "-m", "edge", "relay", "--config", "/nonexistent.toml"]
        assert subprocess.run(command, stderr=full, check=False).returncode == Exit.CONFIG


def test_a_reader_that_has_seen_enough_is_no_defect():
    command = f"{sys.executable} -m edge qrng test --device software --samples 1000"
    result = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True, check=False
    )
    assert result.returncode in (cli.BROKEN_PIPE, Exit.OK)
    assert result.stdout.startswith("Testing software")
    assert result.stderr == ""


def test_a_pipe_that_breaks_elsewhere_is_a_defect(run, capfd):
    assert run(BrokenPipeError("a socket"), "try") == Exit.INTERNAL
    assert "Traceback" in capfd.readouterr().err
