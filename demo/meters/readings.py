"""What meters show: quantities with their units and plausible values, and the small print of a front."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Quantity:
    """title: what is printed beside the display. digits: places of the display. decimals: those it may show.

    low, high: range of the values. zeros: the display shows leading zeros, as counters do.
    """

    title: str
    unit: str
    low: float
    high: float
    digits: int
    decimals: tuple[int, ...]
    zeros: bool = False


QUANTITIES = (
    Quantity("ENERGY", "kWh", 0, 99999, 6, (1,), zeros=True),
    Quantity("TOTAL", "kWh", 0, 999999, 7, (1, 2), zeros=True),
    Quantity("FLOW TOTAL", "m3", 0, 99999, 8, (2, 3), zeros=True),
    Quantity("VOLTAGE", "V", 195, 415, 4, (1,)),
    Quantity("DC VOLTS", "V", -60, 60, 4, (1, 2)),
    Quantity("CURRENT", "A", 0, 63, 4, (1, 2)),
    Quantity("LOOP", "mA", 3.8, 20.5, 4, (1, 2)),
    Quantity("PRESSURE", "bar", -1, 16, 4, (1, 2)),
    Quantity("VACUUM", "mbar", -999, 0, 4, (0,)),
    Quantity("FREQUENCY", "Hz", 48.5, 61.5, 4, (1, 2)),
    Quantity("POWER", "kW", 0, 250, 4, (1, 2)),
    Quantity("ACTIVE POWER", "W", -1800, 9000, 5, (1,)),
    Quantity("SPEED", "rpm", 0, 3600, 4, (0,)),
    Quantity("LEVEL", "%", 0, 100, 4, (1,)),
    Quantity("HUMIDITY", "%RH", 10, 99, 3, (1,)),
)
MAKERS = ("VOLTARA", "Ferron", "KELMAR", "Nordmeter", "Elvatec", "AMPERIA", "Tessio", "BRANDT & LOW", "Oriel", "MESSKO")
PRINTS = (
    "MODEL", "TYPE", "No.", "CL.1", "3x230/400V", "50/60Hz", "5(80)A", "IP54", "MADE IN EU", "RESET", "SET", "MODE",
    "ALARM", "COM", "INPUT", "OUT 1", "1000 imp/kWh", "CAT III", "MAX 600V", "RS-485", "L1", "L2", "L3", "SN",
)  # fmt: skip


def reading(rng: np.random.Generator, quantity: Quantity) -> str:
    """A value as the display shows it, such as ``-12.4`` or ``004521.7``; it fits the display's places."""
    decimals = int(rng.choice(quantity.decimals))
    most = (10**quantity.digits - 1) / 10**decimals
    least = -(10 ** (quantity.digits - 1) - 1) / 10**decimals  # the minus takes a place
    low, high = max(quantity.low, least), min(quantity.high, most)
    text = f"{rng.uniform(low, high):.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    if quantity.zeros:
        text = text.zfill(quantity.digits + (1 if decimals else 0))
    return text


def small_print(rng: np.random.Generator) -> str:
    """One short text of a front: a key, a rating, a model or serial number."""
    text = str(rng.choice(PRINTS))
    if text in ("MODEL", "TYPE"):
        letters = "".join(rng.choice(list("ABCDEHKMPRSTX"), 2))
        return f"{text} {letters}-{rng.integers(10, 990)}"
    if text in ("No.", "SN"):
        return f"{text} {rng.integers(100000, 9999999)}"
    return text
