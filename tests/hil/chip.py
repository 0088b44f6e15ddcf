"""What every rung does with a chip; a child process imports this too."""

import hashlib

from drivers.errors import QrngError


def drain(source, count):
    """Open, read `count` samples, close: what the source says of itself, or why it refused. Never the samples."""
    try:
        identity = source.open()
        samples = source.read(count)
    except QrngError as error:
        return {"reason": error.reason.value, "detail": error.detail, "remedy": error.remedy}
    finally:
        source.close()
    return {
        "driver": identity.driver,
        "model": identity.model,
        "sample_bits": identity.sample_bits,
        "credit": float(identity.credit),
        "simulated": identity.simulated,
        "count": len(samples),
        "values": len(set(samples)),
        "digest": hashlib.sha256(bytes(samples)).hexdigest(),
    }
