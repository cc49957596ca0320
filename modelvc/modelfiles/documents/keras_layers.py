"""The layers of a Keras configuration, and how many numbers training changes in them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.documents.building import entries, listed, text
from modelvc.modelfiles.facts import clean

if TYPE_CHECKING:
    from collections.abc import Callable

_MODELS = frozenset({"Sequential", "Functional", "Model"})
_LARGEST = 1 << 40  # of one length: a file can claim any
# Layers without numbers of their own.
_EMPTY = frozenset({
    "InputLayer", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout",
    "ActivityRegularization", "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Flatten", "Reshape", "Permute",
    "RepeatVector", "Masking", "Concatenate", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Dot",
    "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GlobalAveragePooling1D",
    "GlobalAveragePooling2D", "GlobalAveragePooling3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
    "Cropping1D", "Cropping2D", "Cropping3D", "UpSampling1D", "UpSampling2D", "UpSampling3D", "Rescaling",
    "Identity", "UnitNormalization",
})  # fmt: skip


class Layer(NamedTuple):
    """A layer. `depth`: 1 for a layer of the model, 2 for one of a model inside. `inner`: whether it is a model.

    `shape`, `dtype`: of an input.
    """

    kind: str
    name: str
    depth: int
    config: dict[str, object]
    build: dict[str, object]
    inner: bool = False
    shape: tuple[int, ...] = ()
    dtype: str = ""


def layers_of(config: dict[str, object]) -> list[Layer]:
    """Return all layers of a model, also those of models inside it."""
    found: list[Layer] = []
    left = [(config, 0)]
    while left:
        one, depth = left.pop()
        inner = entries(one.get("config"))
        if depth:
            kind = text(one.get("class_name"))
            shape = tuple(-1 if length is None else length for length in listed(inner.get("batch_shape")))
            found.append(
                Layer(
                    kind,
                    text(inner.get("name")) or text(one.get("name")),
                    depth,
                    inner,
                    entries(one.get("build_config")),
                    inner=kind in _MODELS or bool(listed(inner.get("layers"))),
                    shape=tuple(length for length in shape if isinstance(length, int)),
                    dtype=clean(text(inner.get("dtype"))),
                )
            )
        parts = [part for part in map(entries, listed(inner.get("layers"))) if part]
        left.extend((part, depth + 1) for part in reversed(parts))
    return found


def parameters(layers: list[Layer]) -> int | None:
    """Return how many numbers the LAYERS have, as Keras counts them; None if a layer is of no known kind."""
    total = 0
    for layer in layers:
        if layer.kind in _EMPTY or layer.inner:
            continue
        count = _COUNTS.get(layer.kind)
        try:
            if count is None or not layer.build:
                return None
            total += count(_Shape(layer))
        except (KeyError, IndexError, TypeError, ZeroDivisionError):
            return None
    return total


class _Shape:
    """The lengths in the configuration of a layer. Each raises TypeError if it is not one."""

    def __init__(self, layer: Layer) -> None:
        self._config = layer.config
        self._input = listed(layer.build.get("input_shape"))

    def size(self, key: str) -> int:
        return _length(self._config[key])

    def sizes(self, key: str) -> int:
        """Return the product of the lengths of KEY."""
        return prod(_length(one) for one in listed(self._config[key]) or [self._config[key]])

    def has(self, key: str) -> int:
        return int(self._config.get(key, True) is True)

    def last(self) -> int:
        """Return the length of the last axis of the input."""
        return _length(self._input[-1])


def _length(value: object) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise TypeError
    return value


def _dense(of: _Shape) -> int:
    return of.size("units") * (of.last() + of.has("use_bias"))


def _convolution(of: _Shape) -> int:
    return of.size("filters") * (of.sizes("kernel_size") * of.last() // of.size("groups") + of.has("use_bias"))


def _transposed(of: _Shape) -> int:
    return of.size("filters") * (of.sizes("kernel_size") * of.last() + of.has("use_bias"))


def _depthwise(of: _Shape) -> int:
    channels = of.last() * of.size("depth_multiplier")
    return channels * (of.sizes("kernel_size") + of.has("use_bias"))


def _separable(of: _Shape) -> int:
    channels = of.last() * of.size("depth_multiplier")
    return channels * of.sizes("kernel_size") + of.size("filters") * (channels + of.has("use_bias"))


def _embedding(of: _Shape) -> int:
    return of.size("input_dim") * of.size("output_dim")


def _batch(of: _Shape) -> int:
    return of.last() * (2 + of.has("center") + of.has("scale"))


def _layer(of: _Shape) -> int:
    return of.last() * (of.has("center") + of.has("scale"))


def _recurrent(gates: int) -> Callable[[_Shape], int]:
    def count(of: _Shape) -> int:
        units = of.size("units")
        biases = of.has("use_bias") * (2 if gates == 3 and of.has("reset_after") else 1)
        return gates * units * (of.last() + units + biases)

    return count


_COUNTS: dict[str, Callable[[_Shape], int]] = {
    "Dense": _dense, "Embedding": _embedding, "BatchNormalization": _batch, "LayerNormalization": _layer,
    "Conv1D": _convolution, "Conv2D": _convolution, "Conv3D": _convolution,
    "Conv1DTranspose": _transposed, "Conv2DTranspose": _transposed, "Conv3DTranspose": _transposed,
    "DepthwiseConv1D": _depthwise, "DepthwiseConv2D": _depthwise,
    "SeparableConv1D": _separable, "SeparableConv2D": _separable,
    "SimpleRNN": _recurrent(1), "GRU": _recurrent(3), "LSTM": _recurrent(4),
}  # fmt: skip
