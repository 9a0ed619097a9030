"""How long things take, and how far they are."""

import logging
import time

SECONDS_BETWEEN_LINES = 5.0


def duration(seconds: float) -> str:
    """Write a duration for people: ``48 s``, ``3 min 20 s``, ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """Counts, and says now and then how much is done and how long the rest will take."""

    def __init__(self, logger: logging.Logger, what: str, total: int) -> None:
        self.logger, self.what, self.total, self.done = logger, what, total, 0
        self.began = self.said = time.perf_counter()

    def count(self, tell: bool = True) -> None:
        """Count one more."""
        self.done += 1
        now = time.perf_counter()
        if tell and (now - self.said > SECONDS_BETWEEN_LINES or self.done == self.total):
            self.said = now
            left = duration((now - self.began) / self.done * (self.total - self.done))
            self.logger.info("%s %d of %d, %s left", self.what, self.done, self.total, left)
