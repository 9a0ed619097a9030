"""Steps in TensorFlow: a graph with a loop."""

import logging
from collections.abc import Callable
from typing import Any

from convstudy.training.engine.kernels import training_kernels
from convstudy.training.engine.steps import (
    giving_logits,
    loss_and_correct,
    loss_and_right,
    take_batch,
)

logger = logging.getLogger(__name__)


def bind(threads: int, _precision: str) -> None:
    """Set the number of threads, and allocate GPU memory on demand."""
    import tensorflow as tf

    # Otherwise a GPU multiplies float32 with the 10 bits of TensorFloat-32.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    # TensorFlow warns that a step is compiled repeatedly, but each network needs its own.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        for card in tf.config.list_physical_devices("GPU"):
            # Otherwise TensorFlow takes all of the card's memory at startup.
            tf.config.experimental.set_memory_growth(card, True)
        tf.config.list_logical_devices()
    except RuntimeError:
        # TensorFlow is already initialised in this process and keeps its configuration.
        logger.warning(
            "TensorFlow is already running and keeps its threads; results may differ by rounding"
        )


def gpu_names() -> list[str]:
    """Return the names of the GPUs that TensorFlow sees."""
    import tensorflow as tf

    cards = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(card)["device_name"] for card in cards]


def compile_steps(
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
        images, labels = take_batch(images, labels, order, moves if moved else None)
        with training_kernels(model) as left_out, giving_logits(model), tf.GradientTape() as tape:
            loss, correct = loss_and_correct(model(images, training=True), labels, smoothing)
            mean = loss / tf.cast(tf.shape(labels)[0], loss.dtype)
        unused = {id(bias) for bias in left_out}
        weights = [weight for weight in model.trainable_variables if id(weight) not in unused]
        gradients = tape.gradient(mean, weights)
        model.optimizer.apply(gradients, weights)
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
            # Each step needs the weights of the previous one.
            parallel_iterations=1,
        )
        return loss, correct

    @compiled
    def test(images: Any, labels: Any, order: Any, moves: Any) -> tuple[Any, Any]:
        def one(chosen: Any) -> tuple[Any, Any]:
            batch, truth = take_batch(images, labels, chosen, None)
            with giving_logits(model):
                return loss_and_right(model(batch, training=False), truth)

        # In parallel, all batches would need memory at the same time.
        losses, right = tf.map_fn(
            one, order, parallel_iterations=1, fn_output_signature=(tf.float32, tf.bool)
        )
        return tf.reduce_sum(losses), right

    return train, test


def compile_call(model: Any, gradients: bool, jit: bool) -> Callable[..., Any]:
    """Compile a model's call: see `backends.compiled_call`."""
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
