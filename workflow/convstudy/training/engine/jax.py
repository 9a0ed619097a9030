"""Steps in JAX: a scan over explicit state."""

import functools
from collections.abc import Callable
from typing import Any

from convstudy.training.engine.kernels import training_kernels
from convstudy.training.engine.steps import (
    giving_logits,
    loss_and_correct,
    loss_and_right,
    take_batch,
)


def bind(_threads: int, precision: str) -> None:
    """Set the precision of matrix products: JAX's default for mixed policies, else the highest."""
    import jax

    # Double precision only on request, as another type changes what is computed beside it.
    jax.config.update("jax_enable_x64", precision == "float64")
    # Otherwise a GPU multiplies float32 with the 10 bits of TensorFloat-32.
    exact = not precision.startswith("mixed")
    jax.config.update("jax_default_matmul_precision", "highest" if exact else None)


def gpu_names() -> list[str]:
    """Return the names of the GPUs that JAX sees."""
    import jax

    return [card.device_kind for card in jax.devices() if card.platform == "gpu"]


def compile_steps(
    model: Any, moved: bool, smoothing: float, _jit: bool
) -> tuple[Callable[..., Any], ...]:
    """Compile a model's training and test steps in JAX: a scan over steps with explicit state."""
    import jax

    optimizer = model.optimizer

    def loss_of(trainable: Any, fixed: Any, images: Any, labels: Any) -> Any:
        with training_kernels(model), giving_logits(model):
            logits, fixed = model.stateless_call(trainable, fixed, images, training=True)
        loss, correct = loss_and_correct(logits, labels, smoothing)
        return loss / len(labels), (loss, correct, fixed)

    gradient = jax.value_and_grad(loss_of, has_aux=True)

    @functools.partial(jax.jit, donate_argnums=0)
    def train(state: Any, images: Any, labels: Any, order: Any, moves: Any) -> Any:
        def step(state: Any, chosen: Any) -> Any:
            trainable, fixed, optimized = state
            batch = take_batch(images, labels, chosen[0], chosen[1] if moved else None)
            (_, (loss, correct, fixed)), gradients = gradient(trainable, fixed, *batch)
            trainable, optimized = optimizer.stateless_apply(optimized, gradients, trainable)
            return (trainable, fixed, optimized), (loss, correct)

        state, (losses, corrects) = jax.lax.scan(step, state, (order, moves))
        return state, (losses.sum(), corrects.sum())

    @jax.jit
    def test(state: Any, images: Any, labels: Any, order: Any) -> Any:
        def step(carry: None, chosen: Any) -> Any:
            batch, truth = take_batch(images, labels, chosen, None)
            with giving_logits(model):
                logits, _ = model.stateless_call(state[0], state[1], batch, training=False)
            return carry, loss_and_right(logits, truth)

        _, (losses, right) = jax.lax.scan(step, None, order)
        return losses.sum(), right

    variables = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)

    def state() -> Any:
        return tuple([variable.value for variable in group] for group in variables)

    def run_train(images: Any, labels: Any, order: Any, moves: Any) -> Any:
        values, totals = train(state(), images, labels, order, moves)
        for group, new in zip(variables, values, strict=True):
            for variable, value in zip(group, new, strict=True):
                variable.assign(value)
        return totals

    def run_test(images: Any, labels: Any, order: Any, moves: Any) -> Any:
        return test(state(), images, labels, order)

    return run_train, run_test


def compile_call(model: Any, gradients: bool, _jit: bool) -> Callable[..., Any]:
    """Compile a model's call: see `backends.compiled_call`."""
    import jax

    fixed = [variable.value for variable in model.non_trainable_variables]
    trainable = [variable.value for variable in model.trainable_variables]

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
