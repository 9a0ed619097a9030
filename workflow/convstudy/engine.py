"""The engine: a Keras model's training and test steps, compiled for the machine at hand.

The only place in which backends differ. Keras's own layers, loss and optimizers define what is
computed; the engine decides how, and its choices change results by rounding alone:

- A call does a number of steps: one on a CPU, so that a stop is heard between two of them and the
  images stay where they are, in memory-mapped arrays; all of an epoch on a GPU, on images that
  stay on the GPU, so that nothing waits for the host.
- In training, BatchNormalization uses the backend's fused kernel, where there is one: Keras
  computes the moments, the scaling and their gradients in some ten passes over the activations.
- In training with TensorFlow on a CPU, 1x1 convolutions are products of matrices.
"""

import contextlib
import functools
import gc
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from convstudy import gpus, provenance
from convstudy.errors import UserError

logger = logging.getLogger(__name__)

# How far an image is shifted at most, in pixels.
REACH = 4
TEST_BATCH_SIZE = 250
# Images stay on a GPU if they take no more than this; CIFAR-10 takes 0.18 GB.
RESIDENT_BYTES = 4e9


class Trained(NamedTuple):
    """What a call trained: its steps, the sum of its images' losses, those that were right."""

    steps: int
    loss: float
    correct: int


class Tested(NamedTuple):
    """What a call tested: the sum of its images' losses, and whether each was right, (images,)."""

    loss: float
    right: np.ndarray


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
        _bind_backend(name, threads, precision)
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


def _bind_backend(name: str, threads: int, precision: str) -> None:
    """Set a backend's threads and precision, and let its memory on a GPU grow with need."""
    if name == "tensorflow":
        import tensorflow as tf

        # Else a GPU multiplies float32 with the 10 bits of TensorFloat-32.
        tf.config.experimental.enable_tensor_float_32_execution(False)

        # It warns that a step is compiled more than once: once for each network, as it should be.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
            for card in tf.config.list_physical_devices("GPU"):
                # Else TensorFlow takes all of the card's memory at its start.
                tf.config.experimental.set_memory_growth(card, True)
            tf.config.list_logical_devices()
        except RuntimeError:
            # TensorFlow has begun to compute in this process and keeps what it was given then.
            logger.warning(
                "TensorFlow runs already and keeps its threads, so results may differ by rounding"
            )
    elif name == "jax":
        import jax

        # Likewise; in mixed precision, products are of what they are asked to be.
        exact = not precision.startswith("mixed")
        jax.config.update("jax_default_matmul_precision", "highest" if exact else None)


def described() -> dict[str, str]:
    """Say what computes: ``backend`` with its version, ``processor``, ``matmul_precision``."""
    import keras

    backend = keras.backend.backend()
    version = importlib.import_module(backend).__version__
    return {
        "backend": f"{backend} {version}",
        "processor": provenance.processor(),
        "matmul_precision": keras.config.dtype_policy().compute_dtype,
    }


def gpu_names() -> list[str]:
    """Name the GPUs that Keras's backend sees."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        cards = tf.config.list_physical_devices("GPU")
        return [tf.config.experimental.get_device_details(card)["device_name"] for card in cards]
    import jax

    return [one.device_kind for one in jax.devices() if one.platform == "gpu"]


def draw_moves(how: str, images: int, rng: np.random.Generator) -> np.ndarray:
    """Draw each image's augmentation.

    Args:
        how: ``none``, ``flip`` (left-right, by chance) or ``flip_and_shift`` (and by up to four
            pixels in both directions).
        images: How many.
        rng: Where the choices come from.

    Returns:
        (images, 3) of int32. Whether the image is flipped, and by how many pixels it moves up and
        left.
    """
    moves = np.zeros((images, 3), np.int32)
    if how != "none":
        moves[:, 0] = rng.integers(0, 2, images)
    if how == "flip_and_shift":
        moves[:, 1:] = rng.integers(-REACH, REACH + 1, (2, images)).T
    return moves


def move(images: Any, moves: Any) -> Any:
    """Flip images left-right and shift them, zeros moving in.

    Args:
        images: (images, Y, X, channels). Left as they are.
        moves: (images, 3) of int32. See `draw_moves`.
    """
    from keras import ops

    height, width, channels = images.shape[1:]
    flip, up, left = (moves[:, one, None, None] for one in range(3))
    rows = ops.arange(height)[None, :, None] + up
    columns = ops.arange(width)[None, None, :] + left
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    columns = ops.where(flip == 1, width - 1 - columns, columns)
    image = ops.arange(ops.shape(images)[0])[:, None, None]
    pixels = ops.where(inside, (image * height + rows) * width + columns, 0)
    moved = ops.take(ops.reshape(images, (-1, channels)), pixels, axis=0)
    return ops.where(inside[..., None], moved, ops.zeros_like(moved))


class Engine:
    """A compiled model with the images that it is trained and tested on.

    Args:
        model: Compiled, with its optimizer; from images, (batch, Y, X, channels), to probabilities.
        batch_size: Images a training step; an epoch's last step may have fewer.
        augmentation: See `draw_moves`.
        label_smoothing: Share of each training label that is spread over all classes (Szegedy et
            al., 2016).
        jit_compile: Whether XLA fuses TensorFlow's operations (``auto``: on a GPU). JAX always
            does.
        resident: Whether images stay on the device and a call does all steps; by default, on a GPU,
            if they are not too many (`RESIDENT_BYTES`).
    """

    def __init__(
        self,
        model: Any,
        dataset: Any,
        batch_size: int,
        augmentation: str,
        label_smoothing: float = 0.0,
        jit_compile: bool | str = "auto",
        resident: bool | None = None,
    ) -> None:
        import keras

        gpu = bool(gpu_names())
        backend = keras.backend.backend()
        splits = {
            "train": (dataset.train_images, dataset.train_labels),
            "validation": (dataset.validation_images, dataset.validation_labels),
            "test": (dataset.test_images, dataset.test_labels),
        }
        small = sum(images.nbytes for images, _ in splits.values()) <= RESIDENT_BYTES
        self.resident = gpu and small if resident is None else resident
        if jit_compile == "auto":
            # XLA on a CPU makes a depthwise layer some fifty times slower (docs/performance.md).
            jit_compile = gpu and backend == "tensorflow"
        self.batch_size = batch_size
        model.optimizer.build(model.trainable_variables)
        compiled = {"tensorflow": _tensorflow, "jax": _jax}[backend]
        self._train, self._test = compiled(
            model, augmentation != "none", label_smoothing, bool(jit_compile)
        )
        place: Callable[[Any], Any] = np.asarray
        if self.resident:
            place = keras.ops.convert_to_tensor
        self.choices = ", ".join(
            [
                backend,
                f"oneDNN {'on' if os.environ.get('TF_ENABLE_ONEDNN_OPTS') == '1' else 'off'}",
                f"just-in-time compiler {'on' if jit_compile or backend == 'jax' else 'off'}",
                f"{'an epoch' if self.resident else 'a step'} a call",
            ]
        )
        self.data = {
            split: (place(images), place(labels))
            for split, (images, labels) in splits.items()
            if len(labels)
        }

    def train(self, order: np.ndarray, moves: np.ndarray) -> Iterator[Trained]:
        """Train on images in this order, moved so, and give each call's totals.

        Args:
            order: (images,) of int. Numbers of the training images.
            moves: (images, 3) of int32. See `draw_moves`.
        """
        calls = self._calls(self._train, self.data["train"], order, moves, self.batch_size)
        for steps, loss, correct in calls:
            yield Trained(steps, float(loss), int(correct))

    def test(self, split: str = "test") -> Iterator[Tested]:
        """Test on all images of the test or validation split, in their order, a call at a time."""
        import keras

        order = np.arange(len(self.data[split][1]))
        moves = np.zeros((len(order), 3), np.int32)
        batch = max(self.batch_size, TEST_BATCH_SIZE)
        for _, loss, right in self._calls(self._test, self.data[split], order, moves, batch):
            yield Tested(float(loss), keras.ops.convert_to_numpy(right).reshape(-1))

    def _calls(
        self,
        function: Callable[..., Any],
        data: tuple[Any, Any],
        order: np.ndarray,
        moves: np.ndarray,
        batch: int,
    ) -> Iterator[tuple[int, Any, Any]]:
        """Call a compiled function on all whole batches and then the rest, or on each in turn."""
        last = len(order)
        bounds = [0, last // batch * batch] if self.resident else list(range(0, last, batch))
        for start, end in pairwise([*bounds, last]):
            if start == end:
                continue
            size = min(batch, end - start)
            steps = (end - start) // size
            chosen = order[start:end].astype(np.int32)
            images, labels = data
            if not self.resident:
                images, labels = images[chosen], labels[chosen]
                chosen = np.arange(size, dtype=np.int32)
            loss, correct = function(
                images,
                labels,
                chosen.reshape(steps, size),
                moves[start:end].reshape(steps, size, 3),
            )
            yield steps, loss, correct


def _batch(images: Any, labels: Any, order: Any, moves: Any | None) -> tuple[Any, Any]:
    """Take the images and labels of a step, the images moved."""
    from keras import ops

    images = ops.take(images, order, axis=0)
    labels = ops.cast(ops.take(labels, order, axis=0), "int32")
    return (images if moves is None else move(images, moves)), labels


@contextlib.contextmanager
def _giving_logits(model: Any) -> Iterator[None]:
    """Let a model give what its softmax would take.

    Keras finds these logits by itself only in TensorFlow, and only right before the softmax; the
    loss of probabilities is clipped, and its gradient is lost, where a network is badly wrong.
    """
    head = model.layers[-1]
    softmax, head.activation = head.activation, None
    try:
        yield
    finally:
        head.activation = softmax


def _loss_and_right(logits: Any, labels: Any, smoothing: float = 0.0) -> tuple[Any, Any]:
    """Add up the cross-entropy of a batch, and tell which images are right."""
    from keras import ops

    if smoothing:
        classes = logits.shape[-1]
        targets = ops.one_hot(labels, classes, dtype=logits.dtype)
        targets = (1 - smoothing) * targets + smoothing / classes
        losses = ops.categorical_crossentropy(targets, logits, from_logits=True)
    else:
        losses = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    # Of the probabilities, as a user of the model takes it: they may be equal where logits differ.
    right = ops.cast(ops.argmax(ops.softmax(logits), axis=-1), "int32") == labels
    return ops.sum(losses), right


def _loss_and_correct(logits: Any, labels: Any, smoothing: float) -> tuple[Any, Any]:
    """Add up the cross-entropy of a training batch, and count the images that are right."""
    from keras import ops

    loss, right = _loss_and_right(logits, labels, smoothing)
    return loss, ops.sum(ops.cast(right, "int32"))


def _tensorflow(
    model: Any, moved: bool, smoothing: float, jit: bool
) -> tuple[Callable[..., Any], ...]:
    """Compile a model's training and test steps in TensorFlow: a graph with a loop over steps."""
    import tensorflow as tf

    compiled = tf.function(
        input_signature=[
            tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8),
            tf.TensorSpec((None,), tf.uint8),
            tf.TensorSpec((None, None), tf.int32),
            tf.TensorSpec((None, None, 3), tf.int32),
        ],
        jit_compile=jit,
        autograph=False,
    )

    def step(images: Any, labels: Any, order: Any, moves: Any) -> tuple[Any, Any]:
        images, labels = _batch(images, labels, order, moves if moved else None)
        with training_kernels(model), _giving_logits(model), tf.GradientTape() as tape:
            loss, correct = _loss_and_correct(model(images, training=True), labels, smoothing)
            mean = loss / tf.cast(tf.shape(labels)[0], loss.dtype)
        gradients = tape.gradient(mean, model.trainable_variables)
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss, correct

    @compiled
    def train(images: Any, labels: Any, order: Any, moves: Any) -> tuple[Any, Any]:
        def body(number: Any, loss: Any, correct: Any) -> tuple[Any, ...]:
            more = step(images, labels, order[number], moves[number])
            return number + 1, loss + more[0], correct + more[1]

        steps = tf.shape(order)[0]
        _, loss, correct = tf.while_loop(
            lambda number, loss, correct: number < steps,
            body,
            (tf.constant(0), tf.constant(0.0), tf.constant(0)),
            # One step needs the weights of the one before.
            parallel_iterations=1,
        )
        return loss, correct

    @compiled
    def test(images: Any, labels: Any, order: Any, moves: Any) -> tuple[Any, Any]:
        def one(chosen: Any) -> tuple[Any, Any]:
            batch, truth = _batch(images, labels, chosen, None)
            with _giving_logits(model):
                return _loss_and_right(model(batch, training=False), truth)

        # Side by side, the batches would need memory at the same time.
        losses, right = tf.map_fn(
            one, order, parallel_iterations=1, fn_output_signature=(tf.float32, tf.bool)
        )
        return tf.reduce_sum(losses), right

    return train, test


def _jax(model: Any, moved: bool, smoothing: float, jit: bool) -> tuple[Callable[..., Any], ...]:
    """Compile a model's training and test steps in JAX: a scan over steps, on explicit state."""
    import jax

    optimizer = model.optimizer

    def loss_of(trainable: Any, fixed: Any, images: Any, labels: Any) -> Any:
        with training_kernels(model), _giving_logits(model):
            logits, fixed = model.stateless_call(trainable, fixed, images, training=True)
        loss, correct = _loss_and_correct(logits, labels, smoothing)
        return loss / len(labels), (loss, correct, fixed)

    gradient = jax.value_and_grad(loss_of, has_aux=True)

    @functools.partial(jax.jit, donate_argnums=0)
    def train(state: Any, images: Any, labels: Any, order: Any, moves: Any) -> Any:
        def step(state: Any, chosen: Any) -> Any:
            trainable, fixed, optimized = state
            batch = _batch(images, labels, chosen[0], chosen[1] if moved else None)
            (_, (loss, correct, fixed)), gradients = gradient(trainable, fixed, *batch)
            trainable, optimized = optimizer.stateless_apply(optimized, gradients, trainable)
            return (trainable, fixed, optimized), (loss, correct)

        state, (losses, corrects) = jax.lax.scan(step, state, (order, moves))
        return state, (losses.sum(), corrects.sum())

    @jax.jit
    def test(state: Any, images: Any, labels: Any, order: Any) -> Any:
        def step(carry: None, chosen: Any) -> Any:
            batch, truth = _batch(images, labels, chosen, None)
            with _giving_logits(model):
                logits, _ = model.stateless_call(state[0], state[1], batch, training=False)
            return carry, _loss_and_right(logits, truth)

        _, (losses, right) = jax.lax.scan(step, None, order)
        return losses.sum(), right

    variables = (
        model.trainable_variables,
        model.non_trainable_variables,
        optimizer.variables,
    )

    def state() -> Any:
        return tuple([one.value for one in group] for group in variables)

    def run_train(images: Any, labels: Any, order: Any, moves: Any) -> Any:
        values, totals = train(state(), images, labels, order, moves)
        for group, new in zip(variables, values, strict=True):
            for one, value in zip(group, new, strict=True):
                one.assign(value)
        return totals

    def run_test(images: Any, labels: Any, order: Any, moves: Any) -> Any:
        return test(state(), images, labels, order)

    return run_train, run_test


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

    backend = keras.backend.backend()
    if jit_compile == "auto":
        jit_compile = bool(gpu_names()) and backend == "tensorflow"
    calls = {"tensorflow": _tensorflow_call, "jax": _jax_call}
    return calls[backend](model, gradients, bool(jit_compile))


def _tensorflow_call(model: Any, gradients: bool, jit: bool) -> Callable[..., Any]:
    import tensorflow as tf

    @tf.function(jit_compile=jit, autograph=False)
    def call(inputs: Any, *upstream: Any) -> Any:
        if not gradients:
            return model(inputs, training=False)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = model(inputs, training=False)
        by = [inputs, *model.trainable_variables]
        return outputs, tape.gradient(outputs, by, output_gradients=upstream[0])

    gpu = bool(gpu_names())

    def run(*arrays: Any) -> Any:
        results = call(*arrays)
        if gpu:
            tf.test.experimental.sync_devices()
        return results

    return run


def _jax_call(model: Any, gradients: bool, jit: bool) -> Callable[..., Any]:
    import jax

    fixed = [one.value for one in model.non_trainable_variables]
    trainable = [one.value for one in model.trainable_variables]

    def forward(trainable: Any, inputs: Any) -> Any:
        return model.stateless_call(trainable, fixed, inputs, training=False)[0]

    @jax.jit
    def call(trainable: Any, inputs: Any, *upstream: Any) -> Any:
        if not gradients:
            return forward(trainable, inputs)
        outputs, backward = jax.vjp(forward, trainable, inputs)
        by_weights, by_inputs = backward(upstream[0])
        return outputs, [by_inputs, *by_weights]

    return lambda *arrays: jax.block_until_ready(call(trainable, *arrays))


@contextlib.contextmanager
def training_kernels(model: Any) -> Iterator[None]:
    """Let a model's layers use faster or truer kernels than Keras's while a step is made.

    The layers stay Keras's own, so that a checkpoint loads anywhere. JAX needs none of the faster
    ones, since XLA fuses Keras's operations itself.
    """
    import keras

    backend = keras.backend.backend()
    changed = []
    for layer in model.layers:
        # The kernels that normalise have no float64.
        if isinstance(layer, keras.layers.BatchNormalization):
            if backend == "tensorflow" and layer.compute_dtype != "float64":
                layer.call = functools.partial(_normalise, layer)
                changed.append(layer)
        elif backend == "tensorflow" and not gpu_names() and _is_pointwise(layer):
            layer.call = functools.partial(_convolve_pointwise, layer)
            changed.append(layer)
        elif _sums_bias_in_bfloat16(layer):
            layer.call = functools.partial(_convolve, layer)
            changed.append(layer)
    try:
        yield
    finally:
        for layer in changed:
            del layer.call


def _normalise(layer: Any, inputs: Any, training: bool = True, mask: Any = None) -> Any:
    """Normalise a batch and update the moving averages, as Keras's BatchNormalization does."""
    outputs, mean, variance = _moments(inputs, layer.gamma, layer.beta, layer.epsilon)
    for moving, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        moving.assign(moving * layer.momentum + new * (1 - layer.momentum))
    return outputs


def _moments(inputs: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, ...]:
    """Normalise with TensorFlow's kernel, and give the moments."""
    import tensorflow as tf

    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=gamma,
        offset=beta,
        mean=[],
        variance=[],
        epsilon=epsilon,
        is_training=True,
    )
    # The kernel's variance is an estimate for the population; Keras averages the batch's own.
    count = tf.cast(tf.size(inputs) / tf.size(mean), variance.dtype)
    return outputs, mean, variance * (count - 1) / count


def _is_pointwise(layer: Any) -> bool:
    """Tell whether a layer is, or ends in, a 1x1 convolution that `_convolve_pointwise` can do."""
    import keras

    if not getattr(layer, "use_bias", False):
        return False
    if type(layer) is keras.layers.SeparableConv2D:
        return bool(layer.padding == "same" and layer.strides == layer.dilation_rate == (1, 1))
    return (
        type(layer) is keras.layers.Conv2D
        and layer.kernel_size == layer.strides == (1, 1)
        and layer.groups == 1
    )


def _convolve_pointwise(layer: Any, inputs: Any) -> Any:
    """Do a 1x1 convolution as a product of matrices, whose gradients TensorFlow has faster."""
    import tensorflow as tf

    if hasattr(layer, "depthwise_kernel"):
        depthwise = tf.convert_to_tensor(layer.depthwise_kernel)
        inputs = tf.nn.depthwise_conv2d(inputs, depthwise, (1, 1, 1, 1), "SAME")
        kernel = layer.pointwise_kernel
    else:
        kernel = layer.kernel
    channels, filters = kernel.shape[-2:]
    matrix = tf.reshape(kernel, (channels, filters))
    outputs = tf.matmul(tf.reshape(inputs, (-1, channels)), matrix)
    outputs = tf.reshape(outputs, (-1, *inputs.shape[1:3], filters))
    return layer.activation(_add_bias(outputs, tf.convert_to_tensor(layer.bias)))


def _sums_bias_in_bfloat16(layer: Any) -> bool:
    """Tell whether a layer is a convolution whose bias's gradient Keras sums in bfloat16."""
    from keras import layers

    convolutions = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
    return isinstance(layer, convolutions) and layer.compute_dtype == "bfloat16" and layer.use_bias


def _convolve(layer: Any, inputs: Any) -> Any:
    """Convolve as Keras's layer does, with a bias whose gradient is summed in float32."""
    from keras import layers, ops

    how = {
        "strides": layer.strides,
        "padding": layer.padding,
        "data_format": layer.data_format,
        "dilation_rate": layer.dilation_rate,
    }
    if isinstance(layer, layers.SeparableConv2D):
        kernels = layer.depthwise_kernel, layer.pointwise_kernel
        outputs = ops.separable_conv(inputs, *kernels, **how)
    elif isinstance(layer, layers.DepthwiseConv2D):
        outputs = ops.depthwise_conv(inputs, layer.kernel, **how)
    else:
        outputs = ops.conv(inputs, layer.kernel, **how)
    return layer.activation(_add_bias(outputs, ops.convert_to_tensor(layer.bias)))


def _add_bias(outputs: Any, bias: Any) -> Any:
    """Add a bias, (channels,), whose gradient is summed in float32 at least.

    In bfloat16 a sum of ones stops at 256, and TensorFlow sums so.
    """
    import keras

    if keras.backend.standardize_dtype(outputs.dtype) != "bfloat16":
        return outputs + bias
    if keras.backend.backend() != "tensorflow":
        # Fused by XLA: no sum, and no array, is in bfloat16.
        wide = keras.ops.cast(outputs, "float32") + keras.ops.cast(bias, "float32")
        return keras.ops.cast(wide, "bfloat16")
    import tensorflow as tf

    @tf.custom_gradient
    def add(outputs: Any, bias: Any) -> Any:
        def gradients(upstream: Any) -> tuple[Any, Any]:
            # A product adds up in float32, and is five times as fast as a cast and a sum.
            rows = tf.reshape(upstream, (-1, upstream.shape[-1]))
            return upstream, tf.matmul(tf.ones((1, tf.shape(rows)[0]), rows.dtype), rows)[0]

        return tf.nn.bias_add(outputs, bias), gradients

    return add(outputs, bias)
