"""Set up Keras on a backend, with a number of threads, a device and a precision."""

import contextlib
import gc
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any

from convstudy.core import environment, gpus, libraries
from convstudy.core.errors import UserError

logger = logging.getLogger(__name__)

# Environment variables with which the same settings would give other numbers: they are removed.
REMOVED = (
    "ONEDNN_* DNNL_* TF_SET_ONEDNN_FPMATH_MODE TF_AUTO_MIXED_PRECISION_* NVIDIA_TF32_OVERRIDE"
    " KERAS_MAX_* KERAS_NNX_* JAX_DEFAULT_* JAX_ENABLE_X64 JAX_NUMPY_* JAX_RANDOM_SEED_OFFSET"
    " JAX_THREEFRY_PARTITIONABLE"
)
# Those that may change numbers but that a machine may need (XLA_FLAGS can say where CUDA is): each
# epoch's record has them. Not all of TF_*, as Terraform keeps passwords there.
RECORDED = (
    "XLA_FLAGS TF_XLA_FLAGS TF_DETERMINISTIC_* TF_CUDNN_* TF_CONV* TF_FP16_* TF_MATMUL_* TF_MKL_*"
    " TF_*ONEDNN* TF_*JIT* TF_ENABLE_* TF_DISABLE_* TF_USE_* TF_GPU_THREAD_* TF_OVERRIDE_* JAX_*"
    " CUBLAS_WORKSPACE_CONFIG CUBLASLT_* CUDNN_CONV_* CUDNN_ERRATA_*"
)
HARMLESS = "*_VERBOSE *_LOG* JAX_PLATFORMS JAX_*CACHE*"


def use_backend(
    name: str, device: str = "auto", threads: int = 1, precision: str = "float32"
) -> str:
    """Import Keras on a backend with a fixed number of CPU threads.

    Environment variables with which the same settings would give other numbers are removed, with a
    warning; `variables_kept` returns those that are kept although they may do so.

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
    _remove_variables(precision)
    os.environ["KERAS_BACKEND"] = name
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if device == "cpu" and "tensorflow" not in sys.modules:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    if name == "jax" and device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    # Otherwise JAX takes three quarters of a GPU's memory at startup.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with _native_messages_to_log():
        keras = libraries.keras()
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


def _remove_variables(precision: str) -> None:
    """Remove variables that change numbers or, like those of Keras, take over from the settings."""
    for name in sorted(os.environ):
        # Without oneDNN, bfloat16 in TensorFlow is slower, with ten times the error.
        off = name == "TF_ENABLE_ONEDNN_OPTS" and os.environ[name] != "1"
        if _matches(name, REMOVED) or (off and precision == "mixed_bfloat16"):
            logger.warning(
                "ignoring %s=%s, with which the same settings would give other numbers",
                name,
                os.environ.pop(name),
            )
    # Off by default on processors without AVX-512, but faster there too (docs/performance.md).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def _matches(name: str, patterns: str) -> bool:
    def among(listed: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in listed.split())

    return among(patterns) and not among(HARMLESS)


def variables_kept() -> dict[str, str]:
    """Return the environment variables that may change numbers and are not removed."""
    return {
        name: value
        for name, value in sorted(os.environ.items())
        if _matches(name, RECORDED) and (name, value) != ("TF_ENABLE_ONEDNN_OPTS", "1")
    }


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


def described() -> dict[str, Any]:
    """Describe what computes, for a curve's records.

    Returns:
        ``backend`` with its version, ``processor``, ``matmul_precision`` and, if there are any,
        ``variables``: see `variables_kept`.
    """
    import keras

    backend = keras.backend.backend()
    version = importlib.import_module(backend).__version__
    return {
        "backend": f"{backend} {version}",
        "processor": environment.processor(),
        "matmul_precision": keras.config.dtype_policy().compute_dtype,
        **({"variables": kept} if (kept := variables_kept()) else {}),
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
