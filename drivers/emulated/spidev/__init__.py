from drivers.emulated.spidev.build import ShimUnavailable, build_shim
from drivers.emulated.spidev.serve import SOCKET, emulated_spidev, served

__all__ = ["SOCKET", "ShimUnavailable", "build_shim", "emulated_spidev", "served"]
