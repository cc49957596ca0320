"""Small inputs that try to exhaust memory or time. `python -m tests.support.bombs NAME` runs one within bounds."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 20  # of processor time; most take a hundredth of one
MIB = 700  # of address space

BOMBS: dict[str, tuple[Callable[[], object], tuple[str, ...]]] = {}


def bomb(*words: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Register a bomb. WORDS: the error that it gets must hold one of them."""

    def keep(made: Callable[[], object]) -> Callable[[], object]:
        BOMBS[made.__name__] = (made, words)
        return made

    return keep


@bomb("does not hold the 1048576 bytes it should")
def a_20_byte_frame_that_asks_for_a_terabyte() -> object:
    from modelvc.formats.binary.pack import ZSTD
    from modelvc.store.objects.codec import decode

    return decode(ZSTD, b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + bytes(7), 1 << 20)


@bomb("does not hold the 100 bytes it should")
def a_frame_that_expands_ten_thousand_fold() -> object:
    import zstandard

    from modelvc.formats.binary.pack import ZSTD
    from modelvc.formats.limits import CHUNK
    from modelvc.store.objects.codec import decode

    inner = zstandard.ZstdCompressor(level=19, write_content_size=True)
    frame = inner.compress(bytes(CHUNK))
    assert len(frame) * 5_000 < CHUNK
    return decode(ZSTD, frame, 100)


@bomb("a compressed chunk is damaged")
def a_frame_that_lies_about_its_content() -> object:
    import zstandard

    from modelvc.formats.binary.pack import ZSTD
    from modelvc.store.objects.codec import decode

    frame = bytearray(zstandard.ZstdCompressor().compress(bytes(1 << 28)))
    at = frame.index((1 << 28).to_bytes(4, "little"))
    frame[at : at + 4] = (1000).to_bytes(4, "little")
    return decode(ZSTD, bytes(frame), 1000)


@bomb("does not hold")
def a_frame_without_a_length() -> object:
    import zstandard

    from modelvc.formats.binary.pack import ZSTD
    from modelvc.store.objects.codec import decode

    return decode(ZSTD, zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 28)), 1 << 20)


@bomb("a trailer of 4294967295 bytes is too large")
def a_footer_that_asks_for_a_terabyte() -> object:
    from modelvc.formats.binary import pack

    return pack.parse_footer(pack.FOOTER.pack(0xFFFFFFFF, 0xFFFFFFFF, bytes(32), pack.END))


@bomb("its records do not fill it")
def a_trailer_of_four_thousand_million_records() -> object:
    import struct

    from modelvc.formats.binary.pack import Trailer

    return Trailer(struct.pack("<HH16sIH", 1, 0, bytes(16), 0xFFFFFFFF, 0), 1 << 50)


@bomb("it claims too many records")
def a_segment_of_four_thousand_million_records() -> object:
    import struct

    from modelvc.formats.binary import segment

    return segment.parse(
        struct.pack("<4sBBHIIQIHH", b"MVCS", 1, 1, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0xFFFF, 0xFFFF)
    )


@bomb("it claims too many packs")
def a_root_of_four_thousand_million_packs() -> object:
    import struct

    from blake3 import blake3

    from modelvc.formats.binary import root

    body = root._HEAD.pack(b"MVCR", 1, 2, 1, bytes(32), 0, 0, bytes(16)) + struct.pack("<I", 0xFFFFFFFF)
    return root.parse(body + blake3(body).digest())


@bomb("it claims more parts than it has")
def a_root_of_four_thousand_million_leaves() -> object:
    import struct

    from blake3 import blake3

    from modelvc.formats.binary import root

    body = root._HEAD.pack(b"MVCR", 1, 2, 1, bytes(32), 0, 0, bytes(16)) + struct.pack("<II", 0, 0xFFFFFFFF)
    return root.parse(body + blake3(body).digest())


@bomb("it is larger than")
def a_leaf_of_a_million_entries() -> object:
    import struct

    from modelvc.formats.binary import tree

    def entry(i: int) -> bytes:
        return struct.pack("<BH", 0, 7) + b"%07d" % i + struct.pack("<Q32s", 1, bytes(32))

    return tree.parse_leaf(b"".join(map(entry, range(1_000_000))))


@bomb("it has too many entries")
def a_leaf_of_one_entry_more_than_there_may_be() -> object:
    import struct

    from modelvc.formats.binary import tree

    def entry(i: int) -> bytes:
        return struct.pack("<BH", 0, 7) + b"%07d" % i + struct.pack("<Q32s", 1, bytes(32))

    return tree.parse_leaf(b"".join(map(entry, range(8_193))))


@bomb("it is larger than 65,536 bytes")
def a_pointer_of_a_gibibyte() -> object:
    from modelvc.formats.pointer import pointer

    return pointer.parse(b"format = 1\n" + b" " * (1 << 28))


@bomb("nested too deeply")
def a_pointer_of_nested_arrays() -> object:
    from modelvc.formats.pointer import pointer

    return pointer.parse(b"a = " + b"[" * 30_000 + b"]" * 30_000 + b"\n")


@bomb("nested too deeply")
def a_configuration_of_one_dotted_key() -> object:
    from modelvc.formats.text import config

    return config.parse(b"a." * 500_000 + b"a = 1\n")


@bomb("nested too deeply")
def a_configuration_of_nested_tables() -> object:
    from modelvc.formats.text import config

    return config.parse(b"a = " + b"{a = " * 100_000 + b"1" + b"}" * 100_000)


@bomb("is impossible")
def a_number_of_a_million_digits() -> object:
    from modelvc.formats.text import config

    return config.parse(b"format = " + b"1" * 1_000_000)


@bomb("is larger than")
def a_configuration_of_megabytes() -> object:
    from modelvc.formats.text import config

    return config.parse(b"format = 1\n" + b"#" * (64 << 20))


@bomb("taken: 1000")
def a_policy_of_a_thousand_rules_below_a_million_empty_lines() -> object:
    from modelvc.formats.text import policy

    rule = b'[[metric]]\nname = "a"\ndirection = "higher"\n'
    return len(policy.parse(b"\n" * 990_000 + rule * 1_000).rules)


@bomb("there are more than 1,000 of [[metric]]")
def a_policy_of_too_many_rules() -> object:
    from modelvc.formats.text import policy

    return policy.parse(b"[[metric]]\n" * 90_000)


@bomb("taken: False")
def a_glob_that_backtracks() -> object:
    from modelvc.formats.text import policy

    return policy.matches("*a" * 400 + "b", "a" * 4_000)


@bomb("nested deeper than 50")
def json_nested_a_hundred_thousand_deep() -> object:
    from modelvc.formats.text import metric_files

    return metric_files.read(b"[" * 100_000 + b"]" * 100_000, "m.json")


@bomb("nested deeper than 50")
def json_that_is_deep_but_not_for_its_reader() -> object:
    from modelvc.formats.text import metric_files

    return metric_files.read(b"[" * 300 + b"1" + b"]" * 300, "m.json")


@bomb("it holds more than 100,000 values")
def yaml_whose_aliases_multiply() -> object:
    from modelvc.formats.text import metric_files

    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"] + [
        f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 12)
    ]
    return metric_files.read("\n".join(lines).encode(), "m.yaml")


@bomb("it holds more than 100,000 values", "('a11.x', 1))")  # PyYAML 6.0.4 no longer repeats what it merges
def yaml_whose_merges_multiply() -> object:
    from modelvc.formats.text import metric_files

    lines = ["a0: &a0 {x: 1}"] + [f"a{i}: &a{i} {{<<: [" + ",".join([f"*a{i - 1}"] * 20) + "]}" for i in range(1, 12)]
    return metric_files.read("\n".join(lines).encode(), "m.yaml")


@bomb("it holds more than 100,000 values")
def yaml_whose_merge_takes_one_table_very_often() -> object:
    from modelvc.formats.text import metric_files

    table = ",".join(f"k{i}: 1" for i in range(1_000))
    return metric_files.read(f"a: &a {{{table}}}\nb: {{<<: [{'*a,' * 20_000}]}}".encode(), "m.yaml")


@bomb("nested deeper than 50")
def a_yaml_list_that_holds_itself() -> object:
    from modelvc.formats.text import metric_files

    return metric_files.read(b"&a [*a, *a]", "m.yaml")


@bomb("it is not valid YAML")
def a_yaml_table_that_holds_itself() -> object:
    from modelvc.formats.text import metric_files

    return metric_files.read(b"a: &a {b: *a}", "m.yaml")


@bomb("there is no metric in it")
def a_yaml_merge_of_itself() -> object:
    from modelvc.formats.text import metric_files

    return metric_files.read(b"a: &a {<<: *a}", "m.yaml")


@bomb("nested deeper than 50")
def yaml_nested_deep() -> object:
    from modelvc.formats.text import metric_files

    return metric_files.read(b"a: " + b"[" * 100_000, "m.yaml")


@bomb("longer than 1,000 characters")
def a_yaml_number_to_base_60() -> object:
    from modelvc.formats.text import metric_files

    return metric_files.read(b"a: 1" + b":1" * 400_000, "m.yaml")


@bomb("larger than 1,048,576 bytes")
def yaml_of_megabytes() -> object:
    from modelvc.formats.text import metric_files

    return metric_files.read(b"a: 1\n" * 700_000, "m.yaml")


@bomb("field larger than field limit")
def a_table_of_metrics_with_a_huge_field() -> object:
    from modelvc.formats.text import metric_files

    return metric_files.read(b'a,b\n1,"' + b"x" * (3 << 20) + b'"\n', "m.csv")


@bomb("it is longer than 65,536 bytes")
def predictions_with_a_line_of_a_gibibyte() -> object:
    from modelvc.gate import predictions

    class Endless:
        def readline(self, most: int) -> bytes:
            return b"x" * most

    return predictions.read(Endless(), "p.csv")


@bomb("field larger than field limit")
def predictions_with_a_quoted_field_that_never_ends() -> object:
    import itertools

    from modelvc.gate import predictions

    class Endless:
        lines = itertools.chain([b"id,y_true,y_pred\n", b'1,2,"'], itertools.repeat(b"x" * 60_000 + b"\n"))

        def readline(self, most: int) -> bytes:
            return next(self.lines)

    return predictions.read(Endless(), "p.csv")


@bomb("it has more than 1,000 columns")
def predictions_with_a_million_columns() -> object:
    from modelvc.gate import predictions

    return predictions.parse(b"id,y_true,y_pred" + b",a" * 20_000 + b"\n", "p.csv")


@bomb("nested too deeply")
def a_notebook_nested_a_hundred_thousand_deep() -> object:
    from modelvc.formats.notebook_rules import NotebookRules
    from modelvc.notebook import strip

    return strip.clean(b"[" * 100_000, NotebookRules(), "n.ipynb")


@bomb("more than 1,000,000 values")
def a_notebook_of_millions_of_empty_cells() -> object:
    from modelvc.formats.notebook_rules import NotebookRules
    from modelvc.notebook import strip

    return strip.clean(b'{"cells": [' + b"{}," * 10_000_000 + b"{}]}", NotebookRules(), "n.ipynb")


@bomb("can be written again")
def a_notebook_nested_deeper_than_it_can_be_written() -> object:
    """Since Python 3.12, json reads deeper than it writes; before, a lower recursion limit has the same effect."""
    from modelvc.notebook import document

    deep = b'{"nbformat": 4, "metadata": {"x": ' + b"[" * 600 + b"]" * 600 + b', "widgets": 1}, "cells": []}'
    found = document.parse(deep)
    sys.setrecursionlimit(300)
    return found.encode()


@bomb("taken: True")
def kept_outputs_that_unpack_to_a_gibibyte() -> object:
    import os
    import tempfile
    import zlib

    from modelvc.formats.notebook_rules import NotebookRules
    from modelvc.notebook import strip
    from modelvc.notebook.kept_outputs import KeptOutputs
    from tests.support.parsers import _NOTEBOOK

    folder = tempfile.mkdtemp()
    kept = KeptOutputs(folder, 1 << 30)
    plain, taken = strip.clean(_NOTEBOOK, NotebookRules(), "n.ipynb")
    kept.keep("n.ipynb", taken)
    (name,) = os.listdir(folder)
    packer = zlib.compressobj(9)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(bytes(32))
        file.writelines(packer.compress(b" " * (1 << 20)) for _ in range(1024))
        file.write(packer.flush())
    return kept.attach(plain, NotebookRules(), "n.ipynb") == plain


@bomb("cannot be longer than 2,000 characters")
def an_expression_of_a_hundred_thousand_parentheses() -> object:
    from modelvc.formats.text import expression

    return expression.parse("(" * 100_000 + "a < 1" + ")" * 100_000)


@bomb("nested too deeply")
def an_expression_of_as_many_as_fit() -> object:
    from modelvc.formats.text import expression

    return expression.parse("(" * 990 + "a < 1" + ")" * 990)


@bomb("nested too deeply")
def an_expression_of_nots() -> object:
    from modelvc.formats.text import expression

    return expression.parse("not " * 490 + "a < 1")


@bomb("a packet was cut off")
def a_packet_that_asks_for_what_never_comes() -> object:
    import io

    from modelvc.drivers.notebooks import pktline

    try:
        pktline.serve(io.BytesIO(b"ffff"), io.BytesIO(), lambda *_: None, lambda: 1 << 20)
    except ValueError as error:
        return str(error)


@bomb("it is not valid YAML")
def a_yaml_list_in_a_table_that_holds_itself() -> object:
    from modelvc.formats.text import metric_files

    return metric_files.read(b"a: &a [*a, *a]", "m.yaml")


def main(name: str) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MIB << 20, MIB << 20))
    try:
        found = BOMBS[name][0]()
    except ModelvcError as error:
        assert str(error).isprintable()  # noqa: PT017
        print(str(error)[:500])
    else:
        print("taken:", repr(found)[:300])


if __name__ == "__main__":
    main(sys.argv[1])
