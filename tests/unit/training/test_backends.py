import importlib.util
import logging
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from convstudy.training.engine.backends import _native_messages_to_log
from helpers.paths import with_helpers
from helpers.training import curve

TIMES = {"seconds", "images_per_second"}


def test_native_messages_are_kept_from_the_terminal(capfd, caplog):
    caplog.set_level(logging.DEBUG, logger="convstudy")
    with _native_messages_to_log():
        os.write(2, b"oneDNN is on\n")
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "after\n"
    assert "oneDNN is on" in caplog.messages


TRAIN = """
import sys, pathlib
from helpers.training import curve
curve(pathlib.Path(sys.argv[1]), backend=sys.argv[2]).train(1)
"""


def records(
    folder: Path, backend: str = "tensorflow", **variables: str
) -> tuple[list[dict[str, Any]], str]:
    """Train the example curve for an epoch in another process; return its records and messages."""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(folder / "store"), backend],
        env=with_helpers(**variables),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    made = curve(folder / "store", backend=backend).read()["records"]
    return [{key: one[key] for key in one.keys() - TIMES} for one in made], done.stderr


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return records(tmp_path_factory.mktemp("usual"))[0]


@pytest.mark.fault(
    "The user's keras.json asks for other types or another image format, or has a mistake",
    where="when a training starts",
    lost="nothing: it is not read",
)
@pytest.mark.parametrize(
    "text",
    [
        '{"floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first"}',
        '{"floatx": "float8", "epsilon": 1, "backend": "none"}',
    ],
)
def test_keras_json_changes_nothing(tmp_path, usual, text):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text(text)
    where = {"HOME": str(tmp_path), "KERAS_HOME": str(tmp_path / ".keras")}
    assert records(tmp_path, **where)[0] == usual


@pytest.mark.fault(
    "Environment variables that change how TensorFlow and Keras compute",
    where="when a training starts",
    lost="nothing: they are removed, with a warning, or each epoch's record names them",
)
def test_variables_that_change_numbers_are_removed(tmp_path, usual):
    removed = {
        "DNNL_MAX_CPU_ISA": "SSE41",
        "KERAS_MAX_EPOCHS": "none",
        "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_LEVEL": "UNSAFE_FORCE_ALL",
        "TF_SET_ONEDNN_FPMATH_MODE": "BF16",
    }
    # The settings decide the number of threads, and the rest is others' or harmless.
    without_effect = {
        **{f"{name}_NUM_THREADS": "3" for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")},
        **{f"TF_NUM_{name}_THREADS": "3" for name in ("INTRAOP", "INTEROP")},
        "ONEDNN_VERBOSE": "0",
        "TF_VAR_password": "secret",
    }
    found, said = records(tmp_path, **removed, **without_effect)
    assert found == usual
    ignored = re.findall(r"ignoring (\w+)=(\w+), with which the same settings would give", said)
    assert dict(ignored) == removed


def test_variables_of_jax_that_change_numbers_are_removed(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed: make setup EXTRA=jax")
    removed = {
        "JAX_DEFAULT_MATMUL_PRECISION": "bfloat16",
        "JAX_DEFAULT_PRNG_IMPL": "rbg",
        "JAX_ENABLE_X64": "1",
        "JAX_NUMPY_DTYPE_PROMOTION": "strict",
        "JAX_RANDOM_SEED_OFFSET": "7",
    }
    usual, _ = records(tmp_path / "usual", "jax")
    found, said = records(tmp_path / "changed", "jax", **removed)
    assert found == usual
    assert all(f"ignoring {name}={value}, with" in said for name, value in removed.items())


def test_variables_that_are_kept_are_recorded_and_named(tmp_path, usual):
    kept = {
        "TF_DETERMINISTIC_OPS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "XLA_FLAGS": "--xla_dump_to=elsewhere",
    }
    [found], _ = records(tmp_path, **kept)
    assert found.pop("variables") == kept
    assert "variables" not in usual[0]
    # Without oneDNN, numbers differ by rounding.
    assert found.keys() == usual[0].keys()
    assert found["loss"] == pytest.approx(usual[0]["loss"], rel=1e-2)
    made = curve(tmp_path / "store")
    assert made.describe(1)["device"] == (
        "cpu (TF_DETERMINISTIC_OPS=1, TF_ENABLE_ONEDNN_OPTS=0, XLA_FLAGS=--xla_dump_to=elsewhere)"
    )
