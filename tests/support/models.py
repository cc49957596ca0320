"""Model files made by the standard library alone."""

from __future__ import annotations

import json
import struct


def safetensors(tensors: dict[str, list[float]], *, framework: str = "pt") -> bytes:
    """A safetensors file of 32-bit floats."""
    header: dict[str, object] = {"__metadata__": {"format": framework}}
    data = b""
    for name, values in tensors.items():
        body = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": [len(values)], "data_offsets": [len(data), len(data) + len(body)]}
        data += body
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data
