"""A new device: its key pair and a commented configuration to edit."""

import re
from pathlib import Path

from edge.errors import ConfigError, Reason
from wire.certificates import make_request, make_tls_key
from wire.keys import make_key_pair
from wire.topics import DEVICE_PATTERN

TEMPLATE = """\
#:schema {schema}
# speckled: settings of one device. Relative paths are relative to this file; conf.d/*.toml beside it goes before it.
# `speckled config explain KEY` says what a key means, `speckled config check` whether all is in order.

[device]
id = "{device}"
key = "device.key"             # secret, read by capture only
public_key = "device.pub"

[camera]
driver = "picamera2"           # or opencv, folder, synthetic
stream = "raw"                 # sums sensor pixels itself; "luma" trusts the image processor (docs/privacy.md)
width = 820                    # half of a mode of the sensor: here Camera Module 2; Camera Module 3: 768 x 432
height = 616                   # where they do not fit, the first start says which ones would
exposure_us = 20000
gain = 1.0

[qrng]
driver = "discover"            # the first real source found; `speckled qrng list` and `probe` show what there is
# driver = "microrng"          # or qcicada, idq250, tpm, character, profile: docs/devices has what each needs
# device = "/dev/spidev0.0"
# software and emulated-microrng work anywhere, and mark every observation as simulated

[entropy]
rate = "true-random"           # "drbg" stretches seeds of a slow source, and every observation says so
# partners = [{{driver = "tpm"}}, {{driver = "character"}}]   # XORed into all noise; all must be healthy
# commissioned = "report/report.json"   # of `speckled qrng commission`; can only lower what a sample counts for

[privacy]
profile = "place"              # docs/privacy.md has the table of profiles
frames_per_second = "1"        # a maximum; the privacy unit counts on it
lut = "log"
residual = 32                  # background subtraction inside the guarantee; 0 turns it off
fuse = 1                       # how many past releases are combined in one map

[capture]
state = "/var/lib/speckled/capture"

[relay]
socket = "/run/speckled/relay.sock"
state = "/var/lib/speckled/relay"

# outbox_mb = 256               # where waiting observations need more, the oldest give way

[switch]
file = "/var/lib/speckled/camera-off"   # while it exists, the camera is closed: `speckled camera off`
# gpio = "gpiochip0:17"        # a switch to ground, too

[features]
method = "learned"             # the network that comes with speckled; or "sift"
# fallback = "sift"            # what may take the place of a network that is refused

[metrics]
port = 9464                    # Prometheus, on the loopback; 0 turns it off
# textfile = "/var/lib/speckled/capture/metrics/capture.prom"

[home_assistant]
enabled = false                # health, budget and entropy in Home Assistant, never a camera

[aim]
enabled = false                # `speckled aim`: edges in the terminal, for a limited time

[mqtt]
host = "127.0.0.1"
port = 1883
root = "speckled"
protocol = "5"                 # or "3.1.1"
# username = "{device}"
# password_file = "mqtt.password"
# With TLS, usually on port 8883. device.csr is what the broker's authority signs; what it gives back is device.crt.
# ca_file = "ca.pem"           # turns TLS on
# certificate_file = "device.crt"
# key_file = "tls.key"
collector_key = "collector.pub"

# [simulation]
# speedup = 60                 # hurried time, for a simulated camera only
"""
SCHEMA = Path(__file__).with_name("speckled.schema.json")
"""What editors complete and check the settings with: of the version that is installed."""


def make_device(folder: Path, device: str) -> list[Path]:
    """Write keys, a certificate request and `speckled.toml` into a folder. Never overwrites; returns the paths.

    `device.key` and `device.pub` sign observations. `tls.key` and `device.csr` are for a broker that asks devices for
    a certificate.

    Raises:
        ConfigError: the id cannot be used in a topic, a file exists already, or the folder cannot be written.
    """
    if not re.match(DEVICE_PATTERN, device):
        raise ConfigError(
            Reason.CONFIG, f"`{device}` cannot be a device id", "use 1 to 32 of a-z, 0-9 and '-', such as ward-3"
        )
    settings = folder / "speckled.toml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if settings.exists():
            raise ConfigError(Reason.CONFIG, f"{settings} exists", "choose another --dir, or move the old files away")
        make_key_pair(folder / "device.key", folder / "device.pub")
        make_tls_key(folder / "tls.key")
        make_request(folder / "tls.key", folder / "device.csr", device)
        settings.write_text(TEMPLATE.format(device=device, schema=SCHEMA), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            Reason.CONFIG, f"{folder}: {error.strerror}", "choose another --dir, or run this as a user who may write it"
        ) from None
    return [*(folder / name for name in ("device.key", "device.pub", "tls.key", "device.csr")), settings]
