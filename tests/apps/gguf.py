"""Where the numbers in a GGUF file are, so that a test can change one of them.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3, little-endian.
"""

import dataclasses
import struct

# Scalar value types: struct format by type id.
FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING = 8
ARRAY = 9


@dataclasses.dataclass(frozen=True)
class Field:
    """One number in the file."""

    name: str
    at: int
    format: str

    def read(self, content: bytes):
        return struct.unpack_from("<" + self.format, content, self.at)[0]

    def changed(self, content: bytes, value) -> bytes:
        """A copy of the file with this number replaced; integers wrap around to the field's size."""
        out = bytearray(content)
        if self.format not in "fd":
            size = struct.calcsize(self.format)
            out[self.at : self.at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")
        else:
            struct.pack_into("<" + self.format, out, self.at, value)
        return bytes(out)


class Reader:
    def __init__(self, content: bytes):
        self.content = content
        self.at = 0
        self.fields: list[Field] = []

    def number(self, name: str, code: str):
        field = Field(name, self.at, code)
        self.fields.append(field)
        self.at += struct.calcsize(code)
        return field.read(self.content)

    def string(self, name: str) -> str:
        size = self.number(name + " length", "Q")
        text = self.content[self.at : self.at + size].decode()
        self.at += size
        return text

    def value(self, name: str, kind: int):
        if kind == STRING:
            self.string(name)
        elif kind == ARRAY:
            element = self.number(name + " element type", "I")
            for i in range(self.number(name + " count", "Q")):
                self.value(f"{name}[{i}]", element)
        else:
            self.number(name, FORMATS[kind])


def fields(content: bytes) -> dict[str, Field]:
    """Every number of the header, the metadata and the tensor table, by name."""
    reader = Reader(content)
    reader.number("magic", "I")
    reader.number("version", "I")
    tensors = reader.number("tensor count", "Q")
    keys = reader.number("key count", "Q")
    for i in range(keys):
        key = reader.string(f"key {i}")
        reader.value(key, reader.number(key + " type", "I"))
    for i in range(tensors):
        name = reader.string(f"tensor {i} name")
        for axis in range(reader.number(name + " dimensions", "I")):
            reader.number(f"{name} dimension {axis}", "Q")
        reader.number(name + " type", "I")
        reader.number(name + " offset", "Q")
    return {field.name: field for field in reader.fields}
