import logging
import os
import sys

from convstudy.training.engine.backends import _native_messages_to_log


def test_native_messages_are_kept_from_the_terminal(capfd, caplog):
    caplog.set_level(logging.DEBUG, logger="convstudy")
    with _native_messages_to_log():
        os.write(2, b"oneDNN is on\n")
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"
    assert "oneDNN is on" in caplog.messages
