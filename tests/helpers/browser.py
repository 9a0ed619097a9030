"""A page opened from a file in headless Chromium, offline."""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
DARK = "--blink-settings=preferredColorScheme=0"
PHONE, DESKTOP = "--window-size=500,900", "--window-size=1280,900"
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH to open pages in")

PROBE = """
<script>
addEventListener("load", async () => {
  const probe = async () => {%s};
  top.document.body.dataset.probe = JSON.stringify(await probe());
});
</script>
"""
# Chromium's windows are no narrower than 500 pixels.
FRAME = '<body><iframe style="width: 390px; height: 844px" srcdoc="%s"></iframe></body>'


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Open a page, with more of Chromium's arguments."""
    flags = [
        *("--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", "--disable-extensions"),
        *("--disable-features=NetworkTimeServiceQuerying", "--virtual-time-budget=10000"),
        *("--enable-logging=stderr", "--log-level=0"),
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={path.parent / 'profile'}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Chromium's sandbox refuses to run as root.
        flags.append("--no-sandbox")
    command = [str(BROWSER), *flags, *arguments, path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def browse(page: str, folder: Path, probe: str, *flags: str) -> tuple[Any, str]:
    """Open a page and ask it.

    Args:
        page: Its HTML.
        folder: Where to write it.
        probe: The body of a JavaScript function, run when the page has loaded.
        flags: Chromium's, or `PHONE`, which is the default: a frame 390 pixels wide.

    Returns:
        What the function returns, and Chromium's messages.
    """
    path = folder / "report.html"
    flags = flags or (PHONE,)
    page = page.replace("</body>", f"{PROBE % probe}</body>")
    path.write_text(FRAME % html.escape(page) if PHONE in flags else page, encoding="utf-8")
    done = run(path, *flags, "--dump-dom")
    found = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1])), done.stderr
