"""Measure how fast training is, and how fast it could be, for docs/performance.md.

python benchmarks/performance.py throughput   the project, Keras's fit, PyTorch and the roofline
python benchmarks/performance.py short        training on one thread, in both precisions
python benchmarks/performance.py choices      the engine's choices, and the alternatives
python benchmarks/performance.py seeds        accuracies of the engine and fit, five seeds each
python benchmarks/performance.py growth       time against epochs, images, width and trials
python benchmarks/performance.py run          where the quick run's time and memory go
python benchmarks/performance.py render       plots, and tables in docs/performance.md

Each writes docs/performance/NAME.csv, or NAME-gpu.csv on a GPU; short keeps the rows of other
processors. PyTorch is included if it is installed (make setup EXTRA=torch). Do not use the machine
meanwhile.
"""

import argparse
import contextlib
import importlib.util
import itertools
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from convstudy.config import settings
from convstudy.core import gpus, libraries
from convstudy.core.environment import now, processor, unit
from convstudy.core.files import write_csv, write_text
from convstudy.core.progress import duration
from convstudy.data.dataset import Dataset, load_arrays, prepare
from convstudy.layers.kinds import Layer
from convstudy.layers.networks import ARTICLE, CLASSES, INPUT_SHAPE, build, costs
from convstudy.training import estimate
from convstudy.training.engine import kernels as engine_kernels
from convstudy.training.engine import tensorflow as tensorflow_steps
from convstudy.training.engine.backends import use_backend
from convstudy.training.engine.engine import TEST_BATCH_SIZE, Engine
from convstudy.training.engine.steps import draw_augmentation
from convstudy.training.estimate import COMPILE, START, STEP, Estimate, Job, in_order, span
from convstudy.training.precision import require_bfloat16
from convstudy.training.settings import BFLOAT16_UNITS
from document import ROOT, config, machine, markdown, packages, with_parts

FOLDER = ROOT / "docs/performance"
DOCUMENT = ROOT / "docs/performance.md"
CORES = os.cpu_count() or 1
GPU = bool(gpus.names())
BATCH = 512 if GPU else 64
# Bytes of an activation: bfloat16, or float32.
FLOAT_BYTES = 2 if GPU else 4
# On a GPU this takes ten minutes, mostly for compiling.
REPEATS = 3 if GPU else 5
SEEDS = 5
# Images per measurement: enough for some seconds, so that start and end do not matter.
IMAGES = {0.25: 51200, 1.0: 51200} if GPU else {0.25: 2560, 1.0: 384}
# The short form: the batch size of the article's scale; two batches are repeated for some seconds.
SHORT_BATCH = 128
SHORT_IMAGES = 2 * SHORT_BATCH
SHORT_SECONDS = 3.0
SHORT_REPEATS = 3
# When to drop torch.compile, to finish in 25 minutes: it can take a minute per network.
COMPILE_SECONDS = 18 * 60
# The sizes of a run, and their configs.
SIZES = {"quick": "config", "overnight": "overnight", "article": "article"}
# Steps of the quick run that train nothing.
OTHER_STEPS = 14
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "torch", "jax", "numpy")


def noise(images: int) -> Dataset:
    """Create images of noise, as training speed does not depend on the images."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (images, *INPUT_SHAPE), dtype=np.uint8)
    labels = rng.integers(0, CLASSES, images, dtype=np.uint8)
    return Dataset(pixels, labels, pixels[:0], labels[:0], pixels, labels, "noise")


# The competitors. Each has `train` and `test`, which pass over all images once.


class Project:
    """The project's engine."""

    def __init__(
        self,
        layers: Sequence[Layer],
        dataset: Dataset,
        kernels: str = "",
        batch: int = BATCH,
        precision: str = "float32",
        **how: Any,
    ) -> None:
        import keras

        # Set here, as clearing the session resets it.
        keras.config.set_dtype_policy(precision)
        if precision == "mixed_bfloat16":
            require_bfloat16(layers)
        if kernels == "Keras's":
            tensorflow_steps.training_kernels = lambda model: contextlib.nullcontext([])
        elif kernels == "pointwise Keras's":
            engine_kernels._is_pointwise = lambda layer: False
        self.images = len(dataset.train_images)
        self.engine = Engine(compiled(layers), dataset, batch, "none", **how)

    def train(self) -> None:
        """Train an epoch."""
        rng = np.random.default_rng(0)
        order = rng.permutation(self.images)
        for _ in self.engine.train(order, draw_augmentation("none", self.images, rng)):
            pass

    def test(self) -> None:
        """Test on all images."""
        for _ in self.engine.test():
            pass


class Fit:
    """Keras's fit and evaluate, as the article uses them."""

    def __init__(self, layers: Sequence[Layer], dataset: Dataset) -> None:
        self.model = compiled(layers)
        self.data = dataset.train_images, dataset.train_labels

    def train(self) -> None:
        """Train an epoch."""
        self.model.fit(*self.data, batch_size=BATCH, verbose=0)

    def test(self) -> None:
        """Test on all images."""
        self.model.evaluate(*self.data, batch_size=TEST_BATCH_SIZE, verbose=0)


class PyTorch:
    """The peer."""

    def __init__(
        self, layers: Sequence[Layer], dataset: Dataset, batch: int = BATCH, **how: Any
    ) -> None:
        from peer import Peer

        self.peer = Peer(layers, batch, dataset.train_images, dataset.train_labels, **how)

    def train(self) -> None:
        """Train an epoch."""
        self.peer.train()

    def test(self) -> None:
        """Test on all images."""
        self.peer.test(TEST_BATCH_SIZE)


class Roofline:
    """Not a network, but the time for its products and memory traffic at the measured speeds."""

    def __init__(self, layers: Sequence[Layer], dataset: Dataset) -> None:
        self.layers = layers

    def limit(self, training: bool) -> float:
        """Return images/s if each layer takes as long as the slower of its products and traffic."""
        counted = costs(self.layers)
        shapes = [INPUT_SHAPE, *(cost.output_shape for cost in counted)]
        widest = max(int(np.prod(shape)) for shape in shapes)
        products, copied = matrix_speed(), copy_speed(FLOAT_BYTES * BATCH * widest)
        seconds = 0.0
        for layer, cost, shape in zip(self.layers, counted, shapes[:-1], strict=True):
            took, gave = int(np.prod(shape)), int(np.prod(cost.output_shape))
            # Floats read and written: the input twice, the output once, and their gradients once
            # each. Fused normalisation and ReLU count as one layer, whose input is the
            # convolution's output; in a test they are part of the convolution.
            passes = 3 * took + 2 * gave if training else took + gave
            if layer.type == "ReLU" or (layer.type == "BatchNormalization" and not training):
                passes = 0
            seconds += max(
                (6 if training else 2) * cost.macs / products, FLOAT_BYTES * passes / copied
            )
        return 1 / seconds


def compiled(layers: Sequence[Layer]) -> Any:
    """Create a Keras model with Adam."""
    model = build(layers)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# On a GPU, many products are queued before the host waits for the last.
PRODUCTS = 20 if GPU else 1


def fastest(action: Any) -> float:
    """Return the shortest of ten times, in seconds."""
    took = []
    for _ in range(10):
        began = time.perf_counter()
        action()
        took.append(time.perf_counter() - began)
    return min(took)


def matrix_speed() -> float:
    """Measure floating-point operations per second of a matrix product, in bfloat16 on a GPU."""
    from keras import ops

    size = 8192 if GPU else 2048
    matrix = ops.ones((size, size), "bfloat16" if GPU else "float32")

    def multiply() -> None:
        product = matrix
        for _ in range(PRODUCTS):
            product = ops.matmul(matrix, product)
        ops.convert_to_numpy(product[0, 0])

    return PRODUCTS * 2 * size**3 / fastest(multiply)


def copy_speed(size: int) -> float:
    """Measure bytes per second, read and written, when copying arrays of an activation's size."""
    from keras import ops

    if not GPU:
        source, target = np.ones(size // 8), np.zeros(size // 8)
        return 2 * size / fastest(lambda: np.copyto(target, source))
    # At batch sizes for a GPU, activations do not fit into its caches.
    array = ops.ones((2**28,), "float32")

    def copy() -> None:
        copied = array
        for _ in range(PRODUCTS):
            copied = copied * 1.5
        ops.convert_to_numpy(copied[0])

    return PRODUCTS * 2 * 4 * 2**28 / fastest(copy)


# One process per competitor and place, which stays alive and is used in turn.


def work(connection: Connection, name: str, threads: int, how: dict[str, Any]) -> None:
    """Run a worker: build, train and test networks on request; send seconds or an error."""
    backend = how.pop("backend", "tensorflow" if installed("tensorflow") else "jax")
    if name == "PyTorch":
        import torch

        torch.set_num_threads(threads)
    elif name == "fit" and backend == "tensorflow":
        # Keras as it comes, without the engine's choices or the user's.
        libraries.keras()
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    else:
        if name == "project":
            how.setdefault("precision", "mixed_bfloat16" if GPU else "float32")
        use_backend(backend, "auto", threads, how.get("precision", "float32"))
    try:
        serve(connection, name, how)
    except EOFError:
        return
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}".partition("\n")[0])


def serve(connection: Connection, name: str, how: dict[str, Any]) -> None:
    """Answer requests until the connection closes."""
    kept: Any = None
    while True:
        request, *arguments = connection.recv()
        passes = 1
        if request == "make":
            layers, images = arguments
            if name != "PyTorch":
                import keras

                keras.backend.clear_session()
            dataset = noise(images)
            began = time.perf_counter()
            kept = COMPETITORS[name](layers, dataset, **how)
        elif name == "roofline":
            connection.send(images / kept.limit(training=request == "train"))
            continue
        else:
            began = time.perf_counter()
            getattr(kept, request)()
            while arguments and time.perf_counter() - began < arguments[0]:
                getattr(kept, request)()
                passes += 1
        connection.send((time.perf_counter() - began) / passes)


COMPETITORS: dict[str, Any] = {
    "project": Project,
    "fit": Fit,
    "PyTorch": PyTorch,
    "roofline": Roofline,
}


class Workers:
    """Workers that do the same at the same time, like the trainings of one study."""

    def __init__(self, name: str, threads: int, processes: int, **how: Any) -> None:
        self.about = {"engine": name, "processes": processes, "threads": threads}
        context = multiprocessing.get_context("spawn")
        self.connections = []
        for _ in range(processes):
            near, far = context.Pipe()
            context.Process(target=work, args=(far, name, threads, how), daemon=True).start()
            self.connections.append(near)

    def ask(self, *request: Any) -> list[float]:
        """Make all workers do something at the same time, and return the seconds of each.

        Raises:
            RuntimeError: If a worker fails.
        """
        for connection in self.connections:
            connection.send(request)
        answers = [connection.recv() for connection in self.connections]
        for answer in answers:
            if isinstance(answer, str):
                raise RuntimeError(f"{self.about['engine']} failed: {answer}")
        return answers


def competition(
    workers: list[Workers],
    kinds: Iterable[str],
    width: float,
    images: int,
    repeats: int,
    whats: Sequence[str] = ("train", "test"),
    seconds: float = 0.0,
) -> Iterator[dict[str, Any]]:
    """Make all workers train and test the single-kind networks in turn; yield the measurements.

    A measurement passes over all images, repeatedly until `seconds` are over. If torch.compile
    fails, its error is printed and it is removed from the workers.
    """
    for kind in kinds:
        layers = ARTICLE.architecture(ARTICLE.single_kind()[kind], width, 0.9)
        which = {"kind": kind, "width": width}
        for one in list(workers):
            try:
                # The first epoch includes compiling; the second shows the usual speed.
                made = max(one.ask("make", layers, images))
                first = made + sum(max(one.ask(what)) for what in whats)
                usual = sum(max(one.ask(what)) for what in whats)
            except RuntimeError as error:
                if one.about["engine"] != "torch.compile":
                    raise
                print(f"{error}; leaving it out", flush=True)
                workers.remove(one)
                continue
            if one.about["engine"] != "roofline":
                row = {**which, **one.about, "what": "set-up", "repeat": 0}
                yield {**row, "value": round(max(first - usual, 0), 2), "unit": "s"}
        for repeat, what, one in (
            (repeat, what, one) for repeat in range(repeats) for what in whats for one in workers
        ):
            rate = sum(images / took for took in one.ask(what, seconds))
            row = {**which, **one.about, "what": what, "repeat": repeat}
            yield {**row, "value": round(rate, 1), "unit": "images/s"}
        print(kind, width, flush=True)


def throughput() -> pd.DataFrame:
    """Measure the project and its peers: on one thread, on all threads, and side by side."""
    places = [(1, 1)] if GPU else [(1, 1), (CORES, 1), (max(CORES // 2, 1), 2)]
    names = [name for name in COMPETITORS if name != "PyTorch" or installed("torch")]
    workers = [
        Workers(name, threads, processes)
        for threads, processes in dict.fromkeys(places)
        for name in names
    ]
    return pd.DataFrame(
        row
        for width, images in IMAGES.items()
        for row in competition(workers, ARTICLE.kinds, width, images, REPEATS)
    )


def installed(package: str) -> bool:
    """Return whether a package is installed."""
    return importlib.util.find_spec(package) is not None


def short() -> pd.DataFrame:
    """Measure training on one thread in both precisions, replacing this processor's rows."""
    # Hide GPUs.
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    precisions = ["float32", "mixed_bfloat16"]
    if unit() not in BFLOAT16_UNITS:
        print(f"{unit()} does not support bfloat16; measuring float32 only", flush=True)
        precisions.remove("mixed_bfloat16")
    rows: list[dict[str, Any]] = []
    done, total, began = 0, len(precisions) * len(IMAGES) * len(ARTICLE.kinds), time.perf_counter()
    for precision in precisions:
        how = {"precision": precision, "batch": SHORT_BATCH}
        workers = [Workers("project", 1, 1, **how)]
        if installed("torch"):
            workers.append(Workers("PyTorch", 1, 1, **how))
            workers.append(Workers("PyTorch", 1, 1, **how, compiled=True))
            workers[-1].about["engine"] = "torch.compile"
        for width, kind in itertools.product(IMAGES, ARTICLE.kinds):
            late = time.perf_counter() - began > COMPILE_SECONDS
            if late and workers[-1].about["engine"] == "torch.compile":
                print("torch.compile is out of time; continuing without it", flush=True)
                workers.pop()
            measured = competition(
                workers, [kind], width, SHORT_IMAGES, SHORT_REPEATS, ["train"], SHORT_SECONDS
            )
            rows += [{**row, **how} for row in measured if row["what"] == "train"]
            done += 1
            left = (time.perf_counter() - began) / done * (total - done)
            print(f"{done} of {total}, {precision}, {duration(left)} left", flush=True)
    about = {
        "date": now()[:10],
        "processor": processor(),
        "flags": unit(),
        "cores": CORES,
        "versions": packages("keras", "tensorflow", "tensorflow-cpu", "torch"),
    }
    table = pd.DataFrame(rows).assign(**about)
    which = ["kind", "width", "precision", "batch", "engine", "repeat", "value", "unit"]
    return renewed(read_short(), table[[*about, *which]])


def renewed(before: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """Replace the rows of the measured processors, and keep all others."""
    if before.empty:
        return measured
    others = before[~before["processor"].isin(measured["processor"])]
    return pd.concat([others, measured], ignore_index=True)


def choices() -> pd.DataFrame:
    """Compare the engine's choices with their alternatives: one thread, narrow networks."""
    plans: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
        "as chosen": ({}, {}),
        "oneDNN off": ({"TF_ENABLE_ONEDNN_OPTS": "0"}, {}),
        "XLA on": ({}, {"jit_compile": True}),
        "1×1 convolutions as Keras has them": ({}, {"kernels": "pointwise Keras's"}),
        "BatchNormalization likewise": ({}, {"kernels": "Keras's"}),
        "images resident, an epoch a call": ({}, {"resident": True}),
    }
    if installed("jax"):
        plans["JAX as Keras's backend"] = {}, {"backend": "jax"}
    workers = []
    for label, (variables, how) in plans.items():
        os.environ.update(variables)
        workers.append(Workers("project", 1, 1, **how))
        workers[-1].about["engine"] = label
        for key in variables:
            del os.environ[key]
    return pd.DataFrame(competition(workers, ARTICLE.kinds, 0.25, 320, REPEATS))


# Does the engine's speed cost accuracy?


def fit_curve(kinds: Sequence[str], seed: int, dataset: Dataset, training: dict[str, Any]) -> float:
    """Train with fit for as long as the quick run, and return the last test accuracy."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = compiled(ARTICLE.architecture(kinds, 0.25, 0.9))
    for epoch in range(training["epochs"]):
        order = np.random.default_rng([seed, epoch]).permutation(len(dataset.train_labels))
        images, labels = dataset.train_images[order], dataset.train_labels[order]
        model.fit(images, labels, batch_size=training["batch_size"], shuffle=False, verbose=0)
    tested = model.evaluate(dataset.test_images, dataset.test_labels, verbose=0, return_dict=True)
    return float(tested["accuracy"])


def seeds() -> pd.DataFrame:
    """Train the quick run's single-kind networks with fit and with the engine, five seeds each."""
    from convstudy.training.trainer import Recipe, Trainer

    chosen = config()
    training = chosen["training"]
    use_backend("tensorflow", "auto", training["threads"])
    rows = []
    with tempfile.TemporaryDirectory() as name:
        prepare(chosen["data"], os.environ.get("CONVSTUDY_CIFAR10"), Path(name))
        dataset = load_arrays(Path(name))
        for kind, kinds in ARTICLE.single_kind().items():
            for seed in range(SEEDS):
                recipe = Recipe.from_settings(training, training["epochs"])
                layers = ARTICLE.architecture(kinds, 0.25, 0.9)
                trainer = Trainer(layers, recipe, seed, dataset)
                records = [trainer.train_epoch() for _ in range(training["epochs"])]
                row = {"kind": kind, "seed": seed, "engine": records[-1]["test_accuracy"]}
                row["fit"] = fit_curve(kinds, seed, dataset, training)
                print(row, flush=True)
                rows.append(row)
    return pd.DataFrame(rows)


# How does time grow?


def growth() -> pd.DataFrame:
    """Measure time against epochs, images, width and trials, one at a time."""
    from convstudy.search.study import Search
    from simulation import Costs, ReplayedCurve, World

    workers = Workers("project", 1, 1)
    rows: list[dict[str, Any]] = []

    def train(kind: str, width: float, images: int) -> None:
        layers = ARTICLE.architecture(ARTICLE.single_kind()[kind], width, 0.9)
        workers.ask("make", layers, images)
        workers.ask("train")

    def row(against: str, what: str, amount: float, seconds: float) -> None:
        rows.append({"against": against, "of": what, "amount": amount, "seconds": seconds})
        print(rows[-1], flush=True)

    for kind in ARTICLE.kinds:
        train(kind, 0.25, 2560)
        passed = 0.0
        for epoch in range(1, 17):
            passed += workers.ask("train")[0]
            if epoch in (1, 2, 4, 8, 16):
                row("epochs of 2,560 images", kind, epoch, passed)
        for images in (640, 1280, 2560, 5120, 10240):
            train(kind, 0.25, images)
            row("images", kind, images, min(workers.ask("train")[0] for _ in range(3)))
        for width in (0.125, 0.25, 0.5, 1.0, 2.0):
            train(kind, width, 320)
            row("width", kind, width, min(workers.ask("train")[0] for _ in range(3)))
    for trials in (10, 30, 100, 300, 1000):
        # Curves take no time here, which leaves only Optuna and the journal.
        world = World(Costs(0, 0, 0, 0, 0), lambda kinds, replicate: [0.5] * 3, lambda kinds: 1.0)
        study = config()["search"]["studies"]["accuracy"]
        with tempfile.TemporaryDirectory() as name:
            search = Search(
                "growth",
                {**study, "trials": trials},
                3,
                1,
                "journal",
                Path(name),
                ARTICLE.space,
                lambda kinds, replicate, world=world: ReplayedCurve(world, kinds, replicate),
                lambda kinds: 0,
            )
            began = time.perf_counter()
            world.clock.run([lambda search=search: search.run_worker() and None])
            row("trials of no length", "Optuna and journal", trials, time.perf_counter() - began)
    return pd.DataFrame(rows)


# Where does a run's time go?


def run() -> pd.DataFrame:
    """Do the quick run in a fresh clone, and tabulate where its time and memory went."""
    rows: list[dict[str, Any]] = []

    def row(what: str, value: float, unit: str = "s") -> None:
        rows.append({"what": what, "value": round(value, 3), "unit": unit})

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "convstudy"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        ours = {**os.environ, "PYTHONPATH": str(folder / "workflow")}

        def snakemake(*arguments: str) -> float:
            began = time.perf_counter()
            command = [sys.executable, "-m", "snakemake", "--cores", "all", *arguments]
            subprocess.run(command, cwd=folder, env=ours, check=True, capture_output=True)
            return time.perf_counter() - began

        article = ("--dry-run", "--configfile", "config/article.yaml")
        dag = min(snakemake(*article) for _ in range(3))
        wall = snakemake()
        again = min(snakemake() for _ in range(3))
        results = folder / "results"
        jobs = []
        for path in sorted((results / "benchmarks").rglob("*.tsv")):
            measured = pd.read_csv(path, sep="\t").iloc[0]
            which = path.relative_to(results / "benchmarks").with_suffix("").as_posix()
            jobs.append((which, float(measured["s"]), float(measured["max_pss"])))
        epochs = sum(
            record["seconds"]
            for path in (results / ".state/curves").glob("*/curve.json")
            for record in json.loads(path.read_text(encoding="utf-8"))["records"]
        )
        row("the quick run, from a clone to its report", wall)
        row("training and testing, of all jobs", epochs)
        # Only the first number includes Snakemake and jobs without a benchmark.
        every = sum(seconds for _, seconds, _ in jobs)
        row("their share of all jobs' time", 100 * epochs / every, "%")
        row("their share of all cores' time, idle ends and all", 100 * epochs / (wall * CORES), "%")
        row("the same command again, with nothing to do", again)
        row("the article's configuration, read and planned", dag)
        for path in sorted((results / "search").glob("*/study.json")):
            study = json.loads(path.read_text(encoding="utf-8"))
            trained, reused = study["epochs_trained"], study["epochs_reused"]
            of = f"study {path.parent.name}: epochs trained, of {trained + reused} asked for"
            row(of, trained, "epochs")
        for which, seconds, memory in jobs:
            row(which, seconds)
            row(f"{which}, peak memory", memory, "MB")
    return pd.DataFrame(rows)


# What does a run cost?


class On(Estimate):
    """The estimated cost of a config on a machine of which the speeds are known."""

    def __init__(self, config: dict[str, Any], speeds: pd.Series) -> None:
        super().__init__(config, Path("nothing is stored yet"))
        self.speeds = speeds

    def stored_speeds(self, kind: str, training: Mapping[str, Any]) -> dict[float, float]:
        """Return the machine's speeds, by width."""
        return self.speeds[kind].to_dict()

    def training_alone(self, jobs: Sequence[Job]) -> float:
        """Return the seconds of the epochs, without starting Python and compiling networks."""
        networks = (job.epochs / self.config["search"]["epochs"] for job in jobs if not job.curve)
        starts = START * len(jobs)
        return sum(job.seconds for job in jobs) - starts - COMPILE * sum(networks)


def machines() -> Iterator[tuple[str, int, pd.Series]]:
    """Yield each machine, how many trainings it runs at once, and its speeds by kind and width."""
    which = ["kind", "width"]
    known = pd.read_csv(Path(estimate.__file__).with_name("estimate.speeds.csv"))
    for name, part in known[known["precision"] == "float32"].groupby("processor"):
        yield f"{name}, 2 cores", 2, part.set_index(which)["images_per_second"]
    gpu = read("throughput-gpu")
    gpu = gpu[(gpu["engine"] == "project") & (gpu["what"] == "train")]
    yield "NVIDIA H200, mixed_bfloat16", 1, gpu.groupby(which)["value"].median()


def costs_table() -> pd.DataFrame:
    """Estimate what each size costs on each machine, and the least that training alone takes."""
    rows = []
    for size, name in SIZES.items():
        files = [ROOT / "config/config.yaml", ROOT / f"config/{name}.yaml"]
        chosen = settings.read(files, this_machine=False)
        for machine_name, cores, speeds in machines():
            cost = On(chosen, speeds)
            studies, trainings = cost.what_is_left(["training", "search"])
            others = [STEP] * OTHER_STEPS
            whole = span([*in_order(studies, trainings), *others], cores)
            least = cost.training_alone([*studies, *trainings]) / cores
            row = {"size": size, "machine": machine_name, "start to report": duration(whole)}
            rows.append({**row, "training alone, at least": duration(least)})
    return pd.DataFrame(rows)


# Tables, plots and the document.


def place(row: Any) -> str:
    """Describe on how many processes and threads a measurement ran."""
    threads = f"{row.threads} thread{'s' if row.threads > 1 else ''}"
    return f"{row.processes} × {threads}" if row.processes > 1 else threads


def spread(values: pd.Series) -> str:
    """Format the median, with minimum and maximum in brackets."""
    return f"{values.median():,.0f} ({values.min():,.0f} to {values.max():,.0f})"


def throughput_table(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Tabulate medians and spreads: a row per kind, width and place, a column per competitor."""
    chosen = table[table["what"] == what]
    rows = []
    for (width, kind), part in chosen.groupby(["width", "kind"], sort=False):
        for where, measured in part.groupby("place", sort=False):
            by_engine = measured.groupby("engine")["value"]
            median = by_engine.median()
            row = {"width": width, "kind": kind, "on": where}
            for name in COMPETITORS:
                if name == "roofline" and name in median:
                    row[name] = f"{median[name]:,.0f}"
                elif name in median:
                    row[name] = spread(by_engine.get_group(name))
            for name, heading in (("fit", "× fit"), ("PyTorch", "× PyTorch")):
                if name in median:
                    row[heading] = f"{median['project'] / median[name]:.2f}"
            if "roofline" in median:
                row["of roofline"] = f"{median['project'] / median['roofline']:.0%}"
            rows.append(row)
    return pd.DataFrame(rows)


def short_table(table: pd.DataFrame) -> pd.DataFrame:
    """Tabulate a processor's medians and spreads, with a row per network and precision."""
    rows = []
    for (width, kind, precision), part in table.groupby(["width", "kind", "precision"]):
        by_engine = part.groupby("engine", sort=False)["value"]
        median = by_engine.median()
        row = {"width": width, "kind": kind, "precision": precision}
        row |= {name: spread(values) for name, values in by_engine}
        peers = median.drop("project")
        if len(peers):
            row["× best PyTorch"] = f"{median['project'] / peers.max():.2f}"
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def short_sections(table: pd.DataFrame) -> str:
    """Write a section for each processor."""
    sections = []
    for name, part in table.groupby("processor"):
        first = part.iloc[0]
        where = f"{first['date']}, {first['cores']} cores, {first['versions']}"
        batch = f"batches of {first['batch']}"
        sections.append(
            f"### {name}\n\nMeasured: {where}, {batch}.\n\n{markdown(short_table(part))}"
        )
    return "\n\n".join(sections) or "No processor has been measured yet."


def read(name: str) -> pd.DataFrame:
    """Read a table of measurements."""
    return pd.read_csv(FOLDER / f"{name}.csv")


def read_short() -> pd.DataFrame:
    """Read the short form's rows of all processors, if there are any."""
    known = (FOLDER / "short.csv").is_file()
    return read("short") if known else pd.DataFrame(columns=["processor"])


def seaborn() -> Any:
    """Import seaborn, for drawing into files only."""
    import matplotlib as mpl

    mpl.use("agg")
    import seaborn as sns

    return sns


def draw(table: pd.DataFrame) -> None:
    """Draw the images per second in training."""
    sns = seaborn()
    trained = table[table["what"] == "train"]
    grid = sns.catplot(
        trained,
        kind="bar",
        x="kind",
        y="value",
        hue="engine",
        row="width",
        col="place",
        sharey="row",
        estimator="median",
        errorbar=("pi", 100),
        palette="colorblind",
        height=2.6,
        aspect=1.3,
    )
    # On this scale, equal ratios have equal heights.
    grid.set(yscale="log")
    plain_ticks(grid, "y")
    grid.set_axis_labels("", "images/s in training")
    grid.legend.set_title("")
    grid.set_titles("width {row_name}, {col_name}")
    grid.figure.savefig(FOLDER / "throughput.png", dpi=120, bbox_inches="tight")


def plain_ticks(grid: Any, axes: str) -> None:
    """Label logarithmic axes with plain numbers, at 1 and 3 times the powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter

    for panel in grid.axes.flat:
        for name in axes:
            axis = getattr(panel, f"{name}axis")
            axis.set_major_locator(LogLocator(subs=(1, 3)))
            axis.set_major_formatter("{x:,g}")
            axis.set_minor_formatter(NullFormatter())


def draw_growth(table: pd.DataFrame) -> None:
    """Draw time against each amount on logarithmic axes, with a dotted line of slope one."""
    sns = seaborn()
    grid = sns.relplot(
        table,
        kind="line",
        x="amount",
        y="seconds",
        hue="of",
        style="of",
        markers=True,
        dashes=False,
        col="against",
        col_wrap=2,
        palette="colorblind",
        height=2.8,
        aspect=1.3,
        facet_kws={"sharex": False, "sharey": False},
    )
    grid.set(xscale="log", yscale="log")
    plain_ticks(grid, "xy")
    grid.set_titles("{col_name}")
    grid.set_axis_labels("", "seconds")
    grid.legend.set_title("")
    for axis in grid.axes.flat:
        # A line of slope one through the first point of the lowest line.
        points = [line.get_xydata() for line in axis.lines if len(line.get_xydata()) > 1]
        if points:
            x, y = min((line[0] for line in points), key=lambda point: point[1])
            last = max(line[-1][0] for line in points)
            axis.plot([x, last], [y, y * last / x], color="0.6", linewidth=1, linestyle=":")
    grid.figure.savefig(FOLDER / "growth.png", dpi=120, bbox_inches="tight")


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the power of each amount by which time grows, from first to last point."""
    rows = []
    for (against, of), part in table.groupby(["against", "of"], sort=False):
        first, last = part.iloc[0], part.iloc[-1]
        longer, more = last["seconds"] / first["seconds"], last["amount"] / first["amount"]
        rows.append(
            {
                "time of": of,
                "against": against,
                "from": f"{first['amount']:,g}: {first['seconds']:.3g} s",
                "to": f"{last['amount']:,g}: {last['seconds']:.3g} s",
                "amount to the power of": f"{np.log(longer) / np.log(more):.2f}",
            }
        )
    return pd.DataFrame(rows)


def seeds_table(table: pd.DataFrame) -> pd.DataFrame:
    """Compare accuracies: means, standard deviations, the difference and its standard error."""
    rows = []
    for kind, part in table.groupby("kind", sort=False):
        engine, fit = part["engine"], part["fit"]
        error = np.sqrt((engine.var() + fit.var()) / len(part))
        rows.append(
            {
                "kind": kind,
                "engine": f"{engine.mean():.1%} ± {engine.std():.1%}",
                "fit": f"{fit.mean():.1%} ± {fit.std():.1%}",
                "difference, points": f"{100 * (engine.mean() - fit.mean()):+.1f}",
                "its standard error": f"{100 * error:.1f}",
            }
        )
    return pd.DataFrame(rows)


def choices_table(table: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the medians of training and evaluation, with a row per choice."""
    rates = table[table["what"] != "set-up"]
    medians = rates.pivot_table("value", "engine", ["what", "kind"], "median", sort=False)
    shown = pd.DataFrame({"choice": medians.index})
    for what in ("train", "test"):
        for kind in ARTICLE.kinds:
            shown[f"{what}, {kind}"] = [f"{value:,.0f}" for value in medians[what, kind]]
    set_up = table[table["what"] == "set-up"].groupby("engine")["value"].median()
    shown["set-up"] = [f"{set_up[name]:.1f} s" for name in medians.index]
    return shown


def run_table(table: pd.DataFrame) -> pd.DataFrame:
    """Format the numbers with their units."""
    # A job of less than a second ends before its memory is measured.
    table = table[(table["unit"] != "MB") | (table["value"] > 20)]
    values = [
        f"{row.value:,.0f} {row.unit}" if row.value >= 100 else f"{row.value:.3g} {row.unit}"
        for row in table.itertuples()
    ]
    return pd.DataFrame({"what": table["what"], "": values})


def read_throughput(name: str = "throughput") -> pd.DataFrame:
    """Read the throughput, and add a column for processes and threads."""
    measured = read(name)
    measured["place"] = [place(row) for row in measured.itertuples()]
    return measured


def rendered() -> str:
    """Return the document with current tables."""
    measured, on_gpu = read_throughput(), read_throughput("throughput-gpu")
    set_up = measured[(measured["what"] == "set-up") & (measured["processes"] == 1)]
    set_up = set_up.pivot_table("value", ["width", "kind"], "engine", "median", sort=False)
    set_up = set_up.map("{:.1f} s".format).reset_index()

    def of(name: str, *tables: pd.DataFrame) -> str:
        where = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").strip()
        return "\n\n".join([f"Measured: {where}.", *map(markdown, tables)])

    parts = {
        "training": of("throughput", throughput_table(measured, "train")),
        "evaluation": of("throughput", throughput_table(measured, "test")),
        "set-up": of("throughput", set_up),
        "costs": markdown(costs_table()),
        "short": short_sections(read_short()),
        "gpu": of(
            "throughput-gpu",
            *(throughput_table(on_gpu, what).drop(columns="on") for what in ("train", "test")),
        ),
        "choices": of("choices", choices_table(read("choices"))),
        "seeds": of("seeds", seeds_table(read("seeds"))),
        "growth": of("growth", slopes(read("growth"))),
        "run": of("run", run_table(read("run"))),
    }
    return with_parts(DOCUMENT.read_text(encoding="utf-8"), parts)


def main() -> None:
    """Run the measurements named on the command line."""
    measurements = {
        "throughput": throughput,
        "short": short,
        "choices": choices,
        "seeds": seeds,
        "growth": growth,
        "run": run,
    }
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=[*measurements, "render"], nargs="+")
    chosen = parser.parse_args()
    logging.getLogger("convstudy").setLevel(logging.WARNING)
    FOLDER.mkdir(exist_ok=True)
    for what in chosen.what:
        if what == "render":
            draw(read_throughput())
            draw_growth(read("growth"))
            write_text(DOCUMENT, rendered())
            continue
        name = f"{what}-gpu" if GPU and what != "short" else what
        write_csv(FOLDER / f"{name}.csv", measurements[what]())
        # The rows of the short form name the machine themselves.
        if what != "short":
            write_text(FOLDER / f"{name}.txt", machine(*PACKAGES) + "\n")


if __name__ == "__main__":
    main()
