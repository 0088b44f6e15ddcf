"""All checks, in the order in which a person would go through them. docs/doctor.md has a section for each."""

from collections.abc import Callable
from dataclasses import dataclass

from edge.doctor import broker, camera, configuration, entropy, features, keys, machine, memory, service, storage
from edge.doctor.device import Device
from edge.doctor.finding import Outcome

Look = Callable[[Device], Outcome | list[Outcome]]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. wait: what may keep a person waiting, shown meanwhile; empty where it takes no time."""

    group: str
    name: str
    look: Look
    wait: str = ""


CHECKS = (
    Check("configuration", "settings", configuration.configuration),
    Check("machine", "64 bits", machine.sixty_four_bits),
    Check("machine", "system Python", machine.system_python),
    Check("machine", "clock", machine.clock),
    Check("machine", "hardware clock", machine.hardware_clock),
    Check("machine", "power", machine.power),
    Check("storage", "state directories", storage.state_directories),
    Check("storage", "disk space", storage.disk_space),
    Check("storage", "root file system", storage.root_file_system),
    Check("storage", "card wear", storage.card_wear),
    Check("memory", "memory cgroup", memory.memory_cgroup),
    Check("memory", "swap", memory.swap),
    Check("memory", "locked memory", memory.locked_memory),
    Check("memory", "core dumps", memory.core_dumps),
    Check("camera", "privacy switch", camera.privacy_switch),
    Check("camera", "picamera2", camera.picamera2, "importing picamera2"),
    Check("camera", "libcamera", camera.libcamera),
    Check("camera", "kms", camera.foreign_kms),
    Check("camera", "numpy and simplejpeg", camera.numpy_abi),
    Check("camera", "camera", camera.camera),
    Check("camera", "one frame", camera.one_frame, "waiting for a frame"),
    Check("entropy", "source", entropy.entropy_choice),
    Check("entropy", "node", entropy.entropy_node),
    Check("entropy", "rights", entropy.entropy_rights),
    Check("entropy", "SPI", entropy.spi),
    Check("entropy", "earlier failure", entropy.entropy_latch),
    Check("entropy", "answer", entropy.entropy_answer, "asking the entropy source"),
    Check("features", "network", features.network, "loading the network"),
    Check("keys", "device key", keys.device_key),
    Check("keys", "key pair", keys.key_pair),
    Check("keys", "collector key", keys.collector_key),
    Check("keys", "client certificate", keys.client_certificate),
    Check("keys", "certificate chain", keys.certificate_chain),
    Check("broker", "address", broker.broker_address, "visiting the broker"),
    Check("broker", "TLS", broker.broker_tls),
    Check("broker", "login", broker.broker_login),
    Check("broker", "limits", broker.broker_limits),
    Check("broker", "own topics", broker.broker_rights),
    Check("broker", "other topics", broker.broker_others),
    Check("services", "units", service.units),
    Check("services", "exposure", service.exposure, "asking systemd-analyze"),
    Check("services", "state", service.services),
    Check("services", "relay socket", service.relay_socket),
)
