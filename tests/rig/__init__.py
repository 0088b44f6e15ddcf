"""Parts of a broken world for tests: an MQTT peer that follows a script, a TCP proxy, and certificates of all kinds.

from rig.peer import Answer, Peer, Script
from rig.proxy import Proxy
from rig.authority import Authority
"""
