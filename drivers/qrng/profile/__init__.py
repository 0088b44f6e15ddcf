from drivers.qrng.profile.chip import ProfiledChip
from drivers.qrng.profile.load import SHIPPED, load_profile
from drivers.qrng.profile.schema import Profile

__all__ = ["SHIPPED", "Profile", "ProfiledChip", "load_profile"]
