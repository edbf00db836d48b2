"""The names of an exported model's files."""

EXACT, SMALL = "model.onnx", "model_int8.onnx"
"""In float32 and standard operators, and in int8 for onnxruntime."""
