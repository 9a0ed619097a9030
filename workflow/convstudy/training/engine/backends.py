"""Keras on a backend: bound to threads, a device and a precision; what computes there."""

import contextlib
import gc
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from convstudy.core import environment, gpus
from convstudy.core.errors import UserError

logger = logging.getLogger(__name__)


def use_backend(
    name: str, device: str = "auto", threads: int = 1, precision: str = "float32"
) -> str:
    """Import Keras on a backend, bound to a number of CPU threads.

    Environment variables by which TensorFlow's library would compute in another precision than
    asked for are removed, with a warning.

    Args:
        name: ``tensorflow`` or ``jax``.
        device: ``cpu`` hides GPUs, ``gpu`` requires one, ``auto`` takes one if there is one.
        threads: CPU threads. Their number is fixed by the settings and not by the machine, because
            sums that are split otherwise round otherwise.
        precision: Keras dtype policy; JAX has double precision only on demand.

    Returns:
        What trains: a GPU's name, ``cpu``, or `gpus.NO_GPU`.

    Raises:
        UserError: If `device` is ``gpu`` and the backend sees none.
        RuntimeError: If Keras already runs on another backend in this process.
    """
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _keep_precision(precision)
    if device == "cpu" and "tensorflow" not in sys.modules:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if name == "jax" and device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    # Else JAX takes three quarters of a GPU's memory at its start.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if name == "jax" and precision == "float64":
        os.environ["JAX_ENABLE_X64"] = "1"
    with _native_messages_to_log():
        import keras

        if keras.backend.backend() != name:
            raise RuntimeError(f"Keras already runs on {keras.backend.backend()}, not on {name}")
        chosen().bind(threads, precision)
        found = gpu_names()
    # What the imports made lives as long as the process: the collector of garbage, which runs
    # between two networks, need not go through it each time. Networks must not be kept like that.
    if not gc.get_freeze_count():
        gc.freeze()
    if device == "gpu" and not found:
        raise UserError(
            f"training.device: gpu, but {name} sees no GPU on this machine;"
            " allowed are auto, cpu and gpu; set training.device: auto or install the gpu extra"
        )
    if found:
        return found[0]
    return gpus.NO_GPU if gpus.wanted() and device != "cpu" else "cpu"


def _keep_precision(precision: str) -> None:
    """Remove what would let oneDNN compute in another precision, or otherwise than was tested."""
    for name in sorted(os.environ):
        other = name.startswith(("ONEDNN_", "DNNL_")) and not name.endswith("_VERBOSE")
        # Without oneDNN, TensorFlow's bfloat16 is slower and ten times as wrong.
        off = name == "TF_ENABLE_ONEDNN_OPTS" and os.environ[name] != "1"
        if other or name == "TF_SET_ONEDNN_FPMATH_MODE" or (off and precision == "mixed_bfloat16"):
            logger.warning(
                "%s=%s changes what %s means: left out", name, os.environ.pop(name), precision
            )
    # Off by default on processors without AVX-512, where it is faster, too (docs/performance.md).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextlib.contextmanager
def _native_messages_to_log() -> Iterator[None]:
    """Keep what native code writes to the terminal while it is loaded; it goes to debug lines."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
            kept.seek(0)
            for line in kept.read().decode(errors="replace").splitlines():
                logger.debug("%s", line)


def described() -> dict[str, str]:
    """Say what computes: ``backend`` with its version, ``processor``, ``matmul_precision``."""
    import keras

    backend = keras.backend.backend()
    version = importlib.import_module(backend).__version__
    return {
        "backend": f"{backend} {version}",
        "processor": environment.processor(),
        "matmul_precision": keras.config.dtype_policy().compute_dtype,
    }


def chosen() -> ModuleType:
    """Give the file of the backend that Keras runs on; each has the same four functions."""
    import keras

    from convstudy.training.engine import jax, tensorflow

    return {"tensorflow": tensorflow, "jax": jax}[keras.backend.backend()]


def gpu_names() -> list[str]:
    """Name the GPUs that Keras's backend sees."""
    return list(chosen().gpu_names())


def compiled_call(
    model: Any, gradients: bool = False, jit_compile: bool | str = "auto"
) -> Callable[..., Any]:
    """Compile a model's call as one serves it, or together with its gradients, to be timed.

    All of Keras's own kernels: none of the engine's choices for training, unless its first call
    is made within `training_kernels`.

    Args:
        model: From one tensor to one tensor.
        gradients: Whether to compute the gradients by the inputs and by all trainable weights, too.
        jit_compile: See `Engine`.

    Returns:
        Takes the inputs, a tensor, and with gradients also those of some loss by the outputs. It
        returns when the device is done, and gives the outputs or, with gradients, a pair: the
        outputs, and the gradients by the inputs and by each weight.
    """
    import keras

    if jit_compile == "auto":
        jit_compile = bool(gpu_names()) and keras.backend.backend() == "tensorflow"
    call: Callable[..., Any] = chosen().compile_call(model, gradients, bool(jit_compile))
    return call
