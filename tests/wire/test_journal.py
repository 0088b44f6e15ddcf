import logging
import os
import signal
import socket
import struct
import subprocess
import sys

import pytest

from wire.service.journal import JournalHandler, encode, leads_to_journal


@pytest.fixture
def journal(tmp_path):
    """A socket like the journal's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "journal"))
        sock.settimeout(5)
        yield sock


@pytest.fixture
def logger(tmp_path):
    logger, handler = (
        logging.getLogger("speckled.capture"),
        JournalHandler("speckled-capture", str(tmp_path / "journal")),
    )
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)
    handler.close()


def fields(datagram):
    return dict(line.split("=", 1) for line in datagram.decode().splitlines())


def test_a_line_reaches_the_journal_with_its_fields(journal, logger):
    logger.error("released ledger position %d", 7, extra={"fields": {"SPECKLED_POSITION": 7}})
    found = fields(journal.recv(4096))
    assert found["MESSAGE"] == "released ledger position 7"
    assert found["SPECKLED_POSITION"] == "7"
    assert found["SYSLOG_IDENTIFIER"] == "speckled-capture"
    assert found["LOGGER"] == "speckled.capture"


def test_level_and_name_are_fields_and_not_part_of_the_message(tmp_path, journal):
    program = (
        "import logging; from wire.service.journal import JournalHandler; "
        f"logging.basicConfig(handlers=[JournalHandler('x', {str(tmp_path / 'journal')!r})]); "
        "logging.getLogger('speckled.relay').error('no broker')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert fields(journal.recv(4096))["MESSAGE"] == "no broker"


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, "2"), (logging.ERROR, "3"), (logging.WARNING, "4"), (logging.INFO, "6"), (logging.DEBUG, "7")],
)
def test_levels_become_priorities_of_syslog(journal, logger, level, priority):
    logger.log(level, "a line")
    assert fields(journal.recv(4096))["PRIORITY"] == priority


def test_a_message_of_several_lines_is_one_entry():
    text = "first\nsecond"
    assert encode({"MESSAGE": text}) == b"MESSAGE\n" + struct.pack("<Q", len(text)) + b"first\nsecond\n"


def test_a_line_that_the_journal_does_not_take_goes_to_standard_error(logger, capsys):
    logger.error("the disk is full")
    assert "the disk is full" in capsys.readouterr().err


def test_only_the_stream_that_systemd_names_leads_to_the_journal(tmp_path):
    with (tmp_path / "stream").open("w") as stream:
        found = os.fstat(stream.fileno())
        named = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        assert leads_to_journal(named, stream.fileno())
        assert not leads_to_journal({"JOURNAL_STREAM": "1:1"}, stream.fileno())
        assert not leads_to_journal({}, stream.fileno())


SECRET = "the-pixels-of-a-frame"
ABORTED = f"""
import os, signal
from wire.service.journal import begin_service
begin_service("speckled-capture", {{}})
def take(frame):
    os.kill(os.getpid(), signal.SIGABRT)
take(bytes("{SECRET}"[::1], "ascii") * 1000)
"""


def test_a_process_that_the_watchdog_ends_says_where_it_stood_and_not_what_it_held():
    program = ABORTED.replace(f'"{SECRET}"[::1]', "chr(0).join(map(chr, " + str([ord(c) for c in SECRET]) + "))")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == -signal.SIGABRT
    assert "in take" in result.stderr
    assert not set(SECRET.split("-")) - {"of", "a"} & set(result.stderr.replace("-", " ").split())
