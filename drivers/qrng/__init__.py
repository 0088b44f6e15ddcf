from drivers.qrng.discover import Candidate, discover

__all__ = ["Candidate", "discover"]
