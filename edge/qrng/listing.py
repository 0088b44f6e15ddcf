"""`speckled qrng list`: what may be a source."""

import json
import sys
from dataclasses import asdict

from drivers.qrng.discover import discover
from wire.exit import Exit


def list_sources(*, as_json: bool) -> int:
    """Print the nodes that may be sources, what the kernel says of them, and which driver would be tried."""
    found = discover()
    if as_json:
        json.dump([asdict(source) for source in found], sys.stdout, indent=1)
        sys.stdout.write("\n")
        return Exit.OK if found else Exit.UNAVAILABLE
    for source in found:
        sys.stdout.write(f'{source.path}  driver = "{source.driver}"  {source.note}\n')
    if found:
        sys.stdout.write(f"`speckled qrng probe --device {found[0].driver}:{found[0].path}` tells whether it is one\n")
    else:
        sys.stdout.write("no entropy source found; docs/devices lists what can be connected\n")
    return Exit.OK if found else Exit.UNAVAILABLE
