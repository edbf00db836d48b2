"""A BERT in int8 for onnxruntime: as much of it as its task allows.

Three variants, from fast to careful: all matrices in int8 with activations quantized on the fly; the same but for the
most sensitive matrices, which stay in float32; and weights alone, which are stored in int8 and computed in float32.
"""

import copy
import math
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from transformers import PreTrainedModel

from tinybert.export.convert import FusedBert, additions_as_sums, export_graph, quiet, without_metadata

ALL, MIXED, WEIGHTS = "all", "mixed", "weights"
VARIANTS = {
    ALL: "int8 per channel, fused attention, for onnxruntime on CPUs",
    MIXED: "int8 per channel, the most sensitive matrices in float32, fused attention, for onnxruntime on CPUs",
    WEIGHTS: "weights in int8, products in float32, fused attention, for onnxruntime",
}
"""From the fastest on."""
MATRICES = ("MatMul", "Gemm", "Attention", "Gather")
"""Operators with a weight matrix, or a table."""
SENSITIVE = 0.25
"""The share of the matrices that stay in float32 in the mixed variant."""
LARGEST = 127


def write_int8(model: PreTrainedModel, file: Path) -> None:
    """Write the fastest variant of `model`."""
    quantize(fuse(model), file)


def fuse(model: PreTrainedModel) -> onnx.ModelProto:
    """The float32 graph of `model` with the attention of each layer as one operator of onnxruntime."""
    fused: Any = copy.deepcopy(model)
    fused.bert = FusedBert(fused.bert)
    graph, _ = export_graph(fused)
    return additions_as_sums(graph)


def write_variants(
    model: PreTrainedModel, folder: Path, *, error: Callable[[Path], float]
) -> Iterator[tuple[str, Path]]:
    """Write the variants into `folder`, one by one, and yield the name and the file of each.

    `error(file)` says how far a file's logits are from the model's; by it matrices are told that have to stay in float.
    """
    graph = fuse(model)
    for name in VARIANTS:
        file = folder / f"{name}.onnx"
        if name == WEIGHTS:
            quantize_weights(graph, file)
        else:
            quantize(graph, file, in_float=sensitive(graph, error=error) if name == MIXED else ())
        yield name, file


def matrices(graph: onnx.ModelProto) -> list[str]:
    """The names of the nodes with a matrix of weights."""
    tables = {weight.name for weight in graph.graph.initializer if _is_matrix(weight)}
    return [node.name for node in graph.graph.node if node.op_type in MATRICES and tables & set(node.input)]


def _is_matrix(weight: onnx.TensorProto) -> bool:
    return len(weight.dims) == 2 and weight.data_type == onnx.TensorProto.FLOAT


def sensitive(graph: onnx.ModelProto, *, error: Callable[[Path], float]) -> list[str]:
    """The quarter of the matrices of which each, alone in int8, moves the logits most."""
    names, errors = matrices(graph), dict[str, float]()
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            file = Path(folder) / "one.onnx"
            quantize(graph, file, in_float={*names} - {name})
            errors[name] = error(file)
    return sorted(names, key=lambda name: -errors[name])[: math.ceil(len(names) * SENSITIVE)]


def quantize(graph: onnx.ModelProto, file: Path, *, in_float: Collection[str] = ()) -> None:
    """Write `graph` with int8 weights per channel and dynamically quantized activations, but for the nodes `in_float`.

    Weights use 7 bits: sums of products then fit into 16 bits on processors without VNNI too, where they would
    otherwise overflow silently.
    """
    with tempfile.TemporaryDirectory() as folder, quiet():
        float32, int8 = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        onnx.save(graph, float32)
        quantize_dynamic(
            float32, int8, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted(in_float),
            # The output type of onnxruntime's own operators, which ONNX's shape inference does not know.
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT},
        )  # fmt: skip
        onnx.save(without_metadata(onnx.load(int8)), file)


def quantize_weights(graph: onnx.ModelProto, file: Path) -> None:
    """Write `graph` with each matrix as int8 and a scale for each column, which are multiplied when it is loaded."""
    written = onnx.ModelProto()
    written.CopyFrom(graph)
    kept, nodes = [], []
    for weight in written.graph.initializer:
        if not _is_matrix(weight):
            kept.append(weight)
            continue
        matrix = numpy_helper.to_array(weight)
        scales = np.maximum(np.abs(matrix).max(axis=0) / LARGEST, np.finfo(np.float32).tiny).astype(np.float32)
        codes = np.rint(matrix / scales).astype(np.int8)
        names = [f"{weight.name}_{part}" for part in ("int8", "scale")]
        kept += [numpy_helper.from_array(array, name) for array, name in zip((codes, scales), names, strict=True)]
        nodes.append(helper.make_node("DequantizeLinear", names, [weight.name], f"{weight.name}_dequantize", axis=1))
    graph_nodes = [*nodes, *written.graph.node]
    for field, content in ((written.graph.initializer, kept), (written.graph.node, graph_nodes)):
        copies = [copy.deepcopy(part) for part in content]
        del field[:]
        field.extend(copies)
    onnx.save(written, file)
