"""Formatting of numbers and durations, and progress lines."""

import logging
import time

SECONDS_BETWEEN_LINES = 5.0
# Environment variable, set where the main process shows the logs of its jobs on the terminal.
SHOWN = "CONVSTUDY_LOGS_SHOWN"


def counted(number: int, what: str) -> str:
    """Format a number of things: ``1 step``, ``2 steps``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def duration(seconds: float) -> str:
    """Format a duration for display: ``48 s``, ``3 min 20 s``, ``2 h 05 min``."""
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60:02d} s"
    return f"{rounded // 3600} h {rounded % 3600 // 60:02d} min"


class Progress:
    """Counts items, and regularly logs how many are done and the estimated time left."""

    def __init__(self, logger: logging.Logger, what: str, total: int) -> None:
        self.logger, self.what, self.total, self.done = logger, what, total, 0
        self.began = self.said = time.perf_counter()

    def count(self, tell: bool = True) -> None:
        """Count one more item; with `tell`, log the progress now and then."""
        self.done += 1
        now = time.perf_counter()
        if tell and (now - self.said > SECONDS_BETWEEN_LINES or self.done == self.total):
            self.said = now
            left = duration((now - self.began) / self.done * (self.total - self.done))
            self.logger.info("%s %d of %d, %s left", self.what, self.done, self.total, left)
