from typing import Any

# Small, and of the form that libcamera's own files have: the stages that most of them name, with made-up numbers.
_GAMMA = [0, 0, 8192, 25000, 32768, 55000, 65535, 65535]
_CCM = [{"ct": 3000, "ccm": [1.6, -0.4, -0.2] * 3}, {"ct": 6000, "ccm": [1.8, -0.5, -0.3] * 3}]
_SHADING = {"omega": 1.3, "n_iter": 100, "luminance_strength": 0.7, "luminance_lut": [1.0] * 192}
_CALIBRATIONS = {"calibrations_Cr": [{"ct": 3000, "table": [1.0] * 192}], "calibrations_Cb": []}


def emulated_tuning(*, version: int = 2, target: str = "pisp", black: int = 4096, mono: bool = False) -> dict[str, Any]:
    """A tuning as libcamera ships them: everything adaptive is on.

    version: 1 (a mapping of stages) or 2 (a list of stages). target: `pisp` (Pi 5) or `bcm2835` (before it).
    """
    stages: dict[str, dict[str, Any]] = {
        "rpi.black_level": {"black_level": black},
        "rpi.dpc": {},
        "rpi.lux": {
            "reference_shutter_speed": 27685,
            "reference_gain": 1.0,
            "reference_Y": 12744,
            "reference_lux": 998,
        },
        "rpi.noise": {"reference_constant": 0, "reference_slope": 3.67},
        "rpi.geq": {"offset": 204, "slope": 0.01633, "strength": [0, 1.0, 1000, 0.5]},
        "rpi.agc": {"channels": [{"y_target": [0, 0.16, 1000, 0.165]}]},
        "rpi.contrast": {"ce_enable": 1, "lo_max": 1000, "gamma_curve": _GAMMA},
        "rpi.sharpen": {"threshold": 0.25, "limit": 1.0, "strength": 1.0},
    }
    if not mono:
        stages |= {
            "rpi.awb": {"enabled": True, "bayes": 1, "ct_curve": [2500.0, 0.93, 0.36, 8500.0, 0.43, 0.80]},
            "rpi.nn.awb": {"enabled": False, "enable_nn": 1},
            "rpi.alsc": _SHADING | _CALIBRATIONS,
            "rpi.ccm": {"ccms": _CCM, "saturation": [0, 0.5, 500, 1.0]},
        }
    if target == "pisp":
        stages |= {
            "rpi.denoise": {
                "normal": {"sdn": {"deviation": 1.6}, "cdn": {"deviation": 200}, "tdn": {"threshold": 0.05}}
            },
            "rpi.saturation": {},
            "rpi.tonemap": {"strength": 1.0, "iir_strength": 1.0},
            "rpi.cac": {"strength": 0.5},
            "rpi.hdr": {"SingleExposure": {"cadence": [1], "channel_map": {"short": 1}, "tonemap_enable": 1}},
        }
    else:
        stages["rpi.sdn"] = {}
    if version == 1:
        return {"target": target, **stages}
    return {"version": 2.0, "target": target, "algorithms": [{stage: values} for stage, values in stages.items()]}
