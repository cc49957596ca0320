from __future__ import annotations

from modelvc.modelfiles.facts import Tensor
from modelvc.modelfiles.source import Budget, of_bytes
from modelvc.modelfiles.tensors.pairing import digest_of, pair


def tensor(name: str, *shape: int, dtype: str = "float32") -> Tensor:
    return Tensor(name, dtype, shape)


class Contents:
    """Digests of tensors by name, and which were asked for."""

    def __init__(self, **contents: bytes | None) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def __call__(self, one: Tensor) -> bytes | None:
        self.asked.append(one.name)
        return self.contents[one.name]


def test_by_name():
    old = [tensor("a", 2), tensor("b", 2, 3), tensor("c", 4), tensor("gone", 9)]
    new = [tensor("come", 8), tensor("c", 4, dtype="float16"), tensor("b", 3, 2), tensor("a", 2)]
    none = Contents()
    found = pair(old, new, none, none)
    assert found.both == ((old[0], new[3]),)
    assert found.reshaped == ((old[1], new[2]), (old[2], new[1]))
    assert (found.added, found.removed, found.renamed) == ((new[0],), (old[3],), ())
    assert none.asked == []  # nothing has a form of the other side


def test_renamed_by_content():
    old = [tensor("w0", 2), tensor("w1", 2), tensor("same", 2), tensor("lost", 2)]
    new = [tensor("same", 2), tensor("m1", 2), tensor("m0", 2), tensor("found", 2)]
    before = Contents(w0=b"0", w1=b"1", lost=None)
    after = Contents(m0=b"0", m1=b"1", found=None)
    found = pair(old, new, before, after)
    assert found.renamed == ((old[0], new[2]), (old[1], new[1]))
    assert (found.added, found.removed) == ((new[3],), (old[3],))
    assert "same" not in before.asked + after.asked


def test_equal_contents_keep_their_order():
    old = [tensor("a", 2), tensor("b", 2), tensor("c", 2)]
    new = [tensor("x.a", 2), tensor("x.b", 2)]
    zeros = Contents(**dict.fromkeys(("a", "b", "c", "x.a", "x.b"), b"0"))
    found = pair(old, new, zeros, zeros)
    assert found.renamed == ((old[0], new[0]), (old[1], new[1]))
    assert found.removed == (old[2],)


def test_content_of_another_form_is_another():
    old, new = [tensor("a", 4)], [tensor("b", 4, dtype="int32")]
    assert pair(old, new, Contents(a=b"0"), Contents(b=b"0")).renamed == ()
    data, budget = of_bytes(bytes(16)), Budget()
    assert digest_of(data, old[0], budget) == digest_of(data, tensor("other", 4), budget)
    assert digest_of(data, old[0], budget) != digest_of(data, new[0], budget)
    assert digest_of(data, old[0], budget) != digest_of(data, tensor("a", 2, 2), budget)
    assert digest_of(data, old[0], budget) != digest_of(of_bytes(b"1" * 16), old[0], budget)
