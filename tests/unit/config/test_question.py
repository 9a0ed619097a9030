"""Another question: kinds, stages and modules from the config alone."""

import pytest
from convstudy.config import settings, yaml_file
from convstudy.core.errors import UserError
from convstudy.layers.networks import ARTICLE, Networks, costs, total
from convstudy.results.run import write_config
from convstudy.training import estimate
from helpers.paths import ROOT
from hypothesis import given
from hypothesis import settings as tries
from hypothesis import strategies as st

CONFIG = ROOT / "config/config.yaml"


def read(folder, text):
    """Read an overlay as Snakemake hands it over: what it names comes first."""
    path = folder / "mine.yaml"
    path.write_text(text)
    files = [yaml_file.read(CONFIG), yaml_file.read(path)]
    base, own = (file.content for file in files)
    model = {**own["model"], **{key: base["model"][key] for key in base["model"]} | own["model"]}
    if "kinds" in own["model"]:
        kinds = own["model"]["kinds"]
        model["kinds"] = {
            **kinds,
            **{k: v for k, v in base["model"]["kinds"].items() if k not in kinds},
        }
    others = {key: own.get(key, base[key]) for key in base if key != "model"}
    return settings.validate(
        {**others, "model": model}, files, this_machine=False, also=[estimate.mistakes]
    )


def refusal(folder, text):
    with pytest.raises(UserError) as caught:
        read(folder, text)
    [_, line] = str(caught.value).splitlines()
    return line


def test_kinds_are_added_after_the_articles_and_removed_by_null(tmp_path):
    text = "model: {kinds: {wide: {layers: [{kernel_size: 5}]}, depthwise: null}}"
    assert list(read(tmp_path, text)["model"]["kinds"]) == ["conv", "separable", "wide"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "model: {kinds: {mine: {layers: [{groups: 3}]}}}",
            "model.kinds.mine.layers[0].groups: 3, but it must divide the 16 channels and 16"
            " filters of stage1_layer1, at width 0.25; write another number of groups",
        ),
        (
            # Divides the first stage's 16 channels, but not those of the narrow one.
            "model: {kinds: {mine: {layers: [{groups: 16}]}}, stages: [{channels: 64},"
            " {channels: 96}]}",
            "model.kinds.mine.layers[0].groups: 16, but it must divide the 24 channels",
        ),
        (
            "model: {kinds: {mine: {layers: [{}, {type: DepthwiseConv2D, groups: 2}]}}}",
            "model.kinds.mine.layers[1].groups: 2, but a DepthwiseConv2D has no groups; write"
            " groups: 1",
        ),
        (
            "model: {kinds: {mine: {layers: [{depth_multiplier: 2}]}}}",
            "model.kinds.mine.layers[0].depth_multiplier: 2, but a Conv2D has no depth_multiplier",
        ),
        (
            "model: {stages: [{channels: 8, pooling: 8}, {channels: 8, pooling: 8}]}",
            "model.stages[1].pooling: 8, but the feature map has only 4x4 cells; write 1",
        ),
        (
            "model: {classes: 3, input_shape: [8, 8, 4]}\ndata: {source: images, directory: /tmp}",
            "model.input_shape: 4 channels, but images have 3 (colour) or 1 (grey)",
        ),
        (
            "model: {input_shape: [8, 8, 1]}",
            "model.input_shape: [8, 8, 1], but data.source is auto, of [32, 32, 3]; remove it, or",
        ),
        (
            "model: {classes: 10}",
            "model.classes: 10, but data.source is auto, which has ten; remove it, or write",
        ),
        (
            "model: {input_shape: [8, 8, 1]}\ndata: {source: images, directory: /tmp}",
            "model.classes: null, but images of your own have classes of their own",
        ),
        (
            "model: {classes: 3}\ndata: {source: images}",
            "data.directory: null, but data.source is images; name their folder, or an .npz file",
        ),
        (
            "model: {classes: 3}\ndata: {source: images, directory: /nowhere}",
            "data.directory: /nowhere is not there",
        ),
        (
            "model: {classes: 3, input_shape: [4, 12, 1], stages: [{channels: 8, pooling: 8}]}\n"
            "data: {source: images, directory: /tmp}",
            "model.stages[0].pooling: 8, but the feature map has only 4x4 cells",
        ),
        (
            "model: {module_layers: 6}\nanalyses: [module_table]",
            "module_table.most_modules: 128, but 3 kinds in 6 positions make 729 modules, and"
            " module_table would need them all: 2,187 trainings, 10,935 epochs",
        ),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, text, said):
    assert said in refusal(tmp_path, text)


def test_a_large_space_can_be_searched_without_its_table(tmp_path):
    config = read(tmp_path, "model: {module_layers: 8}")
    networks = Networks.of(config["model"])
    assert networks.number_of_modules == 6561
    counted = networks.counted_modules()
    assert len(counted) < 20
    for position in range(8):
        assert {kinds[position] for kinds in counted.values()} == set(networks.kinds)


LAYER = st.fixed_dictionaries(
    {"kernel_size": st.sampled_from([1, 3, 5]), "use_bias": st.booleans()}
    | {"dilation_rate": st.integers(1, 2)}
).flatmap(
    lambda shared: st.one_of(
        st.fixed_dictionaries({"type": st.just("Conv2D"), "groups": st.sampled_from([1, 2, 4])}),
        st.fixed_dictionaries(
            {"type": st.sampled_from(["DepthwiseConv2D", "SeparableConv2D"])}
            | {"depth_multiplier": st.integers(1, 2)}
        ),
    ).map(lambda own: {**shared, **own})
)


@tries(max_examples=12, deadline=None)
@given(
    st.lists(LAYER, min_size=1, max_size=3),
    st.lists(st.sampled_from([4, 8, 12]), min_size=1, max_size=3),
    st.integers(1, 3),
)
def test_counts_agree_with_keras_for_all_that_the_config_allows(layers, channels, pooling):
    from convstudy.layers.networks import build

    stages = [{"channels": one, "layers": 2, "pooling": pooling} for one in channels]
    networks = Networks.of({"kinds": {"mine": {"layers": layers}}, "stages": stages})
    for network in (networks.single_kind()["mine"], ("mine", "mine", "mine")):
        described = networks.architecture(network)
        counted, built = total(costs(described)), build(described)
        assert built.count_params() == counted.parameters
        trainable = sum(weight.shape.num_elements() for weight in built.trainable_weights)
        assert trainable == counted.trainable


def test_only_what_differs_enters_a_layers_description():
    full = settings.validate({}, this_machine=False)["model"]
    assert Networks.of(full).architecture(
        ("conv", "depthwise", "separable")
    ) == ARTICLE.architecture(("conv", "depthwise", "separable"))
    assert Networks.of(full).is_article
    [layer] = ARTICLE.kinds["separable"].layers("stage1_layer1", 64)
    assert layer.arguments == {"kernel_size": 3, "padding": "same", "filters": 64}


def test_a_recorded_config_makes_the_same_networks_again(tmp_path):
    text = "model: {kinds: {wide: {layers: [{kernel_size: 5}]}, conv: null}, module_layers: 2}"
    config = read(tmp_path, text)
    write_config(tmp_path / "recorded.yaml", {**config, "data": dict(config["data"])})
    again = settings.read([CONFIG, tmp_path / "recorded.yaml"], this_machine=False)
    assert again["model"] == config["model"]
    assert list(again["model"]["kinds"]) == ["depthwise", "separable", "wide"]


def test_stages_may_differ_in_their_layers():
    stages = [{"channels": 8, "layers": n, "pooling": 1} for n in (1, 3)]
    networks = Networks.of({"stages": stages})
    names = [layer.name for layer in networks.architecture(networks.single_kind()["conv"])]
    assert sum(name.endswith("_relu") for name in names) == 2 + 4
    assert networks.name_of(networks.single_kind()["conv"]) == "conv_conv-conv-conv"
