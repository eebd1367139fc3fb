"""Random draws that make the simulated traffic look like traffic."""

import math
import random


def wave(now: float, period: float = 600.0) -> float:
    """Return a factor around 1 for the time `now` (seconds): two slow waves and a little noise.

    Over a whole `period` (seconds) the mean is 1. The factor stays within 0.7 and 1.3, so a knob's value is
    what one sees on a dashboard.
    """
    slow = 0.10 * math.sin(2 * math.pi * now / period)
    quick = 0.05 * math.sin(2 * math.pi * now / (period / 7))
    noise = max(-0.1, min(0.1, random.gauss(0, 0.03)))
    return 1 + slow + quick + noise


def draw_count(rate: float, seconds: float) -> int:
    """Return how many things happened in `seconds` at `rate` a second: a whole number with the right mean."""
    return int(rate * seconds + random.random())


def lognormal(median: float, sigma: float = 0.5) -> float:
    """Return a draw from a log-normal distribution, the usual shape of latencies and sizes.

    With the default sigma the 95th percentile is 2.3 times the median, the 99th 3.2 times.
    """
    return median * math.exp(random.gauss(0, sigma))


def approach(present: float, target: float, seconds: float) -> float:
    """Return the next value of a gauge that moves to `target`: half of the way every second."""
    return target + (present - target) * math.exp(-math.log(2) * seconds)
