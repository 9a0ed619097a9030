"""Set up Keras on a backend, with a number of threads, a device and a precision."""

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
    """Import Keras on a backend with a fixed number of CPU threads.

    Environment variables that would make TensorFlow compute in another precision than requested are
    removed, with a warning.

    Args:
        name: ``tensorflow`` or ``jax``.
        device: ``cpu`` hides GPUs, ``gpu`` requires one, ``auto`` uses one if available.
        threads: CPU threads. The settings and not the machine fix their number, because splitting
            sums differently changes rounding.
        precision: Keras dtype policy; JAX has double precision only on request.

    Returns:
        The device: a GPU's name, ``cpu``, or `gpus.NO_GPU`.

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
    # Otherwise JAX takes three quarters of a GPU's memory at startup.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if name == "jax" and precision == "float64":
        os.environ["JAX_ENABLE_X64"] = "1"
    with _native_messages_to_log():
        import keras

        if keras.backend.backend() != name:
            raise RuntimeError(f"Keras already runs on {keras.backend.backend()}, not on {name}")
        chosen().bind(threads, precision)
        names = gpu_names()
    # Objects created by the imports live as long as the process, so the garbage collector, which
    # runs between networks, need not scan them. Networks must not be frozen.
    if not gc.get_freeze_count():
        gc.freeze()
    if device == "gpu" and not names:
        raise UserError(
            f"training.device: gpu, but {name} sees no GPU on this machine;"
            " allowed are auto, cpu and gpu; set training.device: auto or install the gpu extra"
        )
    if names:
        return names[0]
    return gpus.NO_GPU if gpus.wanted() and device != "cpu" else "cpu"


def _keep_precision(precision: str) -> None:
    """Remove variables that make oneDNN compute in another precision or in an untested way."""
    for name in sorted(os.environ):
        other = name.startswith(("ONEDNN_", "DNNL_")) and not name.endswith("_VERBOSE")
        # Without oneDNN, bfloat16 in TensorFlow is slower, with ten times the error.
        off = name == "TF_ENABLE_ONEDNN_OPTS" and os.environ[name] != "1"
        if other or name == "TF_SET_ONEDNN_FPMATH_MODE" or (off and precision == "mixed_bfloat16"):
            logger.warning(
                "ignoring %s=%s, which changes what %s means", name, os.environ.pop(name), precision
            )
    # Off by default on processors without AVX-512, but faster there too (docs/performance.md).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@contextlib.contextmanager
def _native_messages_to_log() -> Iterator[None]:
    """Redirect what native code writes to the terminal while loading to debug log lines."""
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
    """Describe what computes: ``backend`` with its version, ``processor``, ``matmul_precision``."""
    import keras

    backend = keras.backend.backend()
    version = importlib.import_module(backend).__version__
    return {
        "backend": f"{backend} {version}",
        "processor": environment.processor(),
        "matmul_precision": keras.config.dtype_policy().compute_dtype,
    }


def chosen() -> ModuleType:
    """Return the module of Keras's backend; each has the same four functions."""
    import keras

    from convstudy.training.engine import jax, tensorflow

    return {"tensorflow": tensorflow, "jax": jax}[keras.backend.backend()]


def gpu_names() -> list[str]:
    """Return the names of the GPUs that Keras's backend sees."""
    return list(chosen().gpu_names())


def compiled_call(
    model: Any, gradients: bool = False, jit_compile: bool | str = "auto"
) -> Callable[..., Any]:
    """Compile a model's inference call, or its call with gradients, for timing.

    It uses Keras's own kernels and not the engine's, unless its first call is made within
    `training_kernels`.

    Args:
        model: From one tensor to one tensor.
        gradients: Whether to compute the gradients by the inputs and all trainable weights as well.
        jit_compile: See `Engine`.

    Returns:
        A function of the inputs, a tensor, and with gradients also of a loss's gradient by the
        outputs. It waits for the device and returns the outputs or, with gradients, a pair: the
        outputs, and the gradients by the inputs and by each weight.
    """
    import keras

    if jit_compile == "auto":
        jit_compile = bool(gpu_names()) and keras.backend.backend() == "tensorflow"
    call: Callable[..., Any] = chosen().compile_call(model, gradients, bool(jit_compile))
    return call
