"""Compare what is inside two versions of a model: their facts, and their tensors."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.errors import IntegrityError, ObjectMissing
from modelvc.modelfiles.difference import Difference, difference

if TYPE_CHECKING:
    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.repo import Repo

_PATIENCE = 60.0  # seconds for all models of one diff together, unless it is deep
_FOR_EVER = 1e9  # seconds


class Insides:
    """Compares versions one after the other, all within one time limit.

    DEEP: without the limit, and the numbers of all tensors that changed.
    """

    def __init__(self, repo: Repo, *, deep: bool = False) -> None:
        self._repo = repo
        self._deep = deep
        self._end = time.monotonic() + (_FOR_EVER if deep else _PATIENCE)

    def compare(self, path: SafeRelPath, old: Pointer, new: Pointer, *, here: bool) -> Difference | None:
        """Return what changed inside of the model at PATH; None if nothing is known of both versions, or their bytes
        are equal. HERE: NEW is what the worktree has.

        Raises UsageError if it is deep, tensors changed, and numpy is not installed.
        """
        if old.oid == new.oid:
            return None
        sides = [self._facts(old, ""), self._facts(new, path if here else "")]
        facts = [found or _of_pointer(version) for found, version in zip(sides, (old, new), strict=True)]
        before, after = facts
        if before is None or after is None or before.format == after.format == "unknown":
            return None
        found = difference(before, after, complete=(sides[0] is not None, sides[1] is not None))
        if sides[0] is None or sides[1] is None:
            return replace(found, note=self._absent(old, new, sides[0] is None, sides[1] is None))
        if before.tensors and after.tensors and not found.same_content:
            return self._with_tensors(found, path if here else "", (old, before), (new, after))
        return found

    def _left(self) -> float:
        return max(0.1, self._end - time.monotonic())

    def _facts(self, version: Pointer, path: str) -> ModelFacts | None:
        """Return the facts of VERSION; None if its bytes are not here, or are damaged, which mvc fsck reports."""
        from modelvc.models.inside.facts import facts_of

        with suppress(ObjectMissing, IntegrityError):
            return facts_of(self._repo, version, path=path, seconds=self._left())
        return None

    def _absent(self, old: Pointer, new: Pointer, *lacking: bool) -> str:
        oids = [version.oid.short for version, absent in zip((old, new), lacking, strict=True) if absent]
        bytes_of = f"the bytes of {' and '.join(oids)} are not in this clone"
        return f"{bytes_of}, so this is what the pointers say; mvc fetch brings the bytes"

    def _with_tensors(
        self, found: Difference, path: str, before: tuple[Pointer, ModelFacts], after: tuple[Pointer, ModelFacts]
    ) -> Difference:
        from modelvc.modelfiles.source import Budget, OutOfTime
        from modelvc.modelfiles.tensor_changes import Side, tensor_changes
        from modelvc.models.inside.shared_chunks import content_of
        from modelvc.models.inside.source import open_version

        repo, (old, old_facts), (new, new_facts) = self._repo, before, after
        try:
            with (
                open_version(repo, old, seconds=self._left()) as one,
                open_version(repo, new, path, seconds=self._left()) as other,
            ):
                if one is None or other is None:
                    return found
                sides = (
                    Side(old_facts.tensors, one.files, old_facts.notes, content_of(repo, old)),
                    Side(new_facts.tensors, other.files, new_facts.notes, content_of(repo, new)),
                )
                changes = tensor_changes(*sides, Budget(seconds=self._left()), deep=self._deep)
        except OutOfTime:
            return replace(found, note="comparing its tensors takes longer than a minute: --deep compares them")
        except (ObjectMissing, IntegrityError) as error:
            return replace(found, note=f"its tensors are not compared: {error}")
        return replace(found, tensors=changes)


def _of_pointer(version: Pointer) -> ModelFacts | None:
    """Return what the pointer of VERSION says of it; None if it says nothing."""
    from modelvc.modelfiles.facts import Finding, Import, ModelFacts, Severity, Use

    said = version.model
    if said is None:
        return None
    return ModelFacts(
        said.format,
        framework=said.framework,
        version=said.version,
        class_name=said.class_name,
        figures=(("tensors", said.tensors),) if said.tensors is not None else (),
        parameters=said.parameters,
        imports=tuple(Import(name, Use.REFERRED) for name in said.imports),
        findings=tuple(Finding(Severity.CODE, what) for what in said.code),
        content=said.content.hex() if said.content else "",
    )
