"""A mosquitto with the configuration that is shipped: only its paths and its port are other ones here.

mosquitto 2.1 is not in Debian 12 or 13; SPECKLED_MOSQUITTO_2_1 names a program, whose plugins lie in the folder
SPECKLED_MOSQUITTO_2_1_PLUGINS.
"""

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from conftest import PROGRAMS, ROOT, free_port

from rig.authority import Authority

SHIPPED = ROOT / "systemd" / "mosquitto"
DEBIAN = "persistence true\npersistence_location {folder}/\ninclude_dir {folder}/conf.d\n"
"""What Debian's mosquitto.conf says that matters here."""


def program(version):
    if version == "2.0":
        return shutil.which("mosquitto", path=PROGRAMS) or pytest.skip("needs mosquitto: apt install mosquitto")
    return os.environ.get("SPECKLED_MOSQUITTO_2_1") or pytest.skip("SPECKLED_MOSQUITTO_2_1 names no mosquitto 2.1")


class Site:
    """A folder like /etc/mosquitto with the shipped files, an authority, and the broker.

    version: "2.0", or "2.1" as SPECKLED_MOSQUITTO_2_1 names it.
    """

    def __init__(self, folder, version):
        self.folder, self.port, self.process = folder, free_port(), None
        self.program = program(version)
        self.authority = Authority(folder)
        server = self.authority.issue("broker", names=["127.0.0.1"], server=True)
        (folder / "conf.d").mkdir()
        (folder / "ca.pem").write_bytes(Path(self.authority.certificate).read_bytes())
        (folder / "broker.crt").write_bytes(Path(server.certificate).read_bytes())
        (folder / "broker.key").write_bytes(Path(server.key).read_bytes())
        shutil.copy(SHIPPED / "speckled.acl", folder)
        (folder / "speckled.acl").chmod(0o600)
        text = (SHIPPED / f"speckled-{version}.conf").read_text()
        text = text.replace("/etc/mosquitto/speckled/", f"{folder}/").replace("8883", str(self.port))
        plugins = os.environ.get("SPECKLED_MOSQUITTO_2_1_PLUGINS", "/usr/lib/x86_64-linux-gnu/mosquitto")
        self.configuration = folder / "conf.d" / "speckled.conf"
        self.configuration.write_text(text.replace("/usr/lib/x86_64-linux-gnu/mosquitto", plugins))
        # As root it would change to a user that cannot read this folder.
        debian = DEBIAN.format(folder=folder) + f"user {getpass.getuser()}\n"
        (folder / "mosquitto.conf").write_text(debian)

    def start(self):
        with (self.folder / "log").open("ab") as log:
            command = [self.program, "-c", str(self.folder / "mosquitto.conf")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + 15
        while self.process.poll() is None and time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(self.log())

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def shows(self, name):
        issued = self.authority.issue(name)
        return {
            "client_id": name,
            "ca_file": self.authority.certificate,
            "certificate_file": issued.certificate,
            "key_file": issued.key,
        }
