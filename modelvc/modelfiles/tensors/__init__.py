"""Formats of tensors: safetensors, GGUF, numpy, ONNX. Pure."""
