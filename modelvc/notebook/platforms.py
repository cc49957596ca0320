"""Metadata keys that platforms and editors write at each run or change of the screen, and keys of theirs that stay.

This is data: add a row, with the source that documents or writes the keys, and docs/notebooks.md follows. The filter
strips these keys and keeps them like outputs. In a merge they never conflict. The drivers that are copied into clones
load this module, so it needs the standard library alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    Path = tuple[str, ...]

_DATABRICKS_CELL = "application/vnd.databricks.v1+cell"
_DATABRICKS = "application/vnd.databricks.v1+notebook"


class Platform:
    """A program that writes notebooks.

    `notebook` and `cell`: the keys that are stripped from the metadata of the notebook and of a cell. `stays`: keys of
    its own that are not stripped, for the documentation. `source`: where the keys are documented.
    """

    __slots__ = ("cell", "name", "notebook", "source", "stays")

    def __init__(
        self, name: str, source: str, notebook: tuple[str | Path, ...], cell: tuple[str | Path, ...], stays: str
    ) -> None:
        self.name = name
        self.source = source
        self.notebook = tuple(map(_path, notebook))
        self.cell = tuple(map(_path, cell))
        self.stays = stays


def _path(name: str | Path) -> Path:
    """Return the path of a key below `metadata`. NAME has dots between parts, or is a tuple if a part holds a dot."""
    return ("metadata", *(name.split(".") if isinstance(name, str) else name))


PLATFORMS = (
    Platform(
        "Jupyter",
        "nbformat's format description; jupyterlab/jupyterlab: packages/cells, packages/notebook (headings)",
        ("celltoolbar", "signature", "widgets"),
        (
            "ExecuteTime", "collapsed", "execution", "heading_collapsed", "hidden", "jp-MarkdownHeadingCollapsed",
            "jupyter.outputs_hidden", "scrolled", "toc-hr-collapsed", "trusted",
        ),
        "tags, slideshow, editable, deletable, jupyter.source_hidden, attachments",
    ),
    Platform(
        "nbextensions",
        "jupyter_contrib_nbextensions: toc2, varInspector, codefolding, execute_time, collapsible_headings",
        ("toc.nav_menu", "toc.toc_position", "toc.toc_section_display", "toc.toc_window_display", "varInspector"),
        ("code_folding",),
        "the rest of toc, hide_input, latex_envs, init_cell",
    ),
    Platform(
        "RISE",
        "damianavila/RISE: doc/customize.md; notebook: celltoolbar.js",
        ("livereveal.autolaunch", "rise.autolaunch"),
        (),
        "the rest of rise and livereveal, slideshow",
    ),
    Platform(
        "VS Code",
        "microsoft/vscode: extensions/ipynb/src/serializers.ts; microsoft/vscode-jupyter",
        ("vscode",),
        ("vscode",),
        "dotnet_interactive, polyglot_notebook",
    ),
    Platform(
        "Colab",
        "googlecolab/colabtools; notebooks saved by colab.research.google.com",
        (
            "colab.authorship_tag", "colab.collapsed_sections", "colab.last_runtime", "colab.private_outputs",
            "colab.toc_visible",
        ),
        (
            "colab.background_save", "colab.base_uri", "colab.height", "colab.referenced_widgets", "colab.resources",
            "executionInfo", "outputId",
        ),
        "id, cellView, colab_type, accelerator, colab.name, colab.provenance, colab.gpuType, colab.machine_shape",
    ),
    Platform(
        "papermill",
        "nteract/papermill: papermill/execute.py, papermill/engines.py, papermill/parameterize.py",
        (
            "papermill.duration", "papermill.end_time", "papermill.exception", "papermill.input_path",
            "papermill.output_path", "papermill.start_time", "papermill.status", "papermill.version",
        ),
        tuple(f"papermill.{key}" for key in ("duration", "end_time", "exception", "start_time", "status")),
        "papermill.parameters, papermill.default_parameters, papermill.environment_variables, tags",
    ),
    Platform(
        "Deepnote",
        "deepnote/deepnote: packages/blocks; notebooks exported by deepnote.com",
        ("deepnote_execution_queue", "deepnote_persisted_session"),
        (
            "deepnote_cell_height", "deepnote_output_heights", "deepnote_table_invalid", "deepnote_table_loading",
            "deepnote_table_state", "deepnote_to_be_reexecuted", "execution_context_id", "execution_millis",
            "execution_start", "output_cleared", "source_hash",
        ),
        "cell_id, deepnote_cell_type, deepnote_notebook_id, block_group, sorting_key, is_code_hidden, deepnote_app_...",
    ),
    Platform(
        "Kaggle",
        "Kaggle/docker-python; notebooks saved by kaggle.com (times of a run: Jupyter's execution, papermill)",
        (),
        ("_execution_state",),
        "kaggle (data sources, accelerator, docker image), _kg_hide-input, _kg_hide-output, _cell_guid, _uuid",
    ),
    Platform(
        "Databricks",
        "databricks/cli: libs/notebook; notebooks exported by a workspace",
        (
            (_DATABRICKS, "computePreferences"), (_DATABRICKS, "inputWidgetPreferences"),
            (_DATABRICKS, "notebookMetadata", "mostRecentlyExecutedCommandWithImplicitDF"),
            (_DATABRICKS, "notebookOrigID"),
        ),
        tuple(
            (_DATABRICKS_CELL, key)
            for key in (
                "cellMetadata", "collapsed", "commandVersion", "executionTime", "finishTime", "startTime", "submitTime",
                "tableResultSettingsMap",
            )
        ),
        "nuid, title, showTitle, inputWidgets, language, widgets, dashboards, environmentMetadata, notebookName",
    ),
    Platform(
        "SageMaker",
        "aws/amazon-sagemaker-examples; notebooks saved by SageMaker Studio",
        ("availableInstances", "instance_type", "lcc_arn"),
        (),
        "the kernel",
    ),
    Platform(
        "Azure ML",
        "Azure/MachineLearningNotebooks; nteract/nteract: packages/commutable",
        ("nteract.version",),
        ("gather", "nteract.transient"),
        "kernel_info, microsoft",
    ),
)  # fmt: skip

EDITION = 2  # of the table above; each change raises it, so that clones show a notice once
NOTEBOOK: tuple[Path, ...] = tuple(path for one in PLATFORMS for path in one.notebook)
CELL: tuple[Path, ...] = tuple(path for one in PLATFORMS for path in one.cell)
# Ids of cells, which stay. If both sides gave a cell an id, a merge keeps ours.
IDENTITIES: frozenset[Path] = frozenset({_path("id"), _path("cell_id"), _path((_DATABRICKS_CELL, "nuid"))})
_HOLDERS = frozenset(path[:-1] for path in (*NOTEBOOK, *CELL) if len(path) > 2)


def take(owner: dict[str, Any], paths: Iterable[Path], taken: dict[str, Any]) -> None:
    """Move the values at PATHS from OWNER, a cell or a notebook, to TAKEN: to `metadata`, deeper ones to `extra`.

    An object of a platform that is empty afterwards is moved as well.
    """
    metadata = owner.get("metadata")
    if not metadata or not isinstance(metadata, dict):
        return
    for path in paths:
        if path[1] not in metadata:
            continue
        *above, last = path
        holders = list(_walk(owner, above))
        if len(holders) != len(above):
            continue
        if last in holders[-1]:
            _note(taken, path, holders[-1].pop(last))
        for depth in range(len(above) - 1, 0, -1):
            holder = above[: depth + 1]
            if holders[depth] or tuple(holder) not in _HOLDERS:
                break
            holders[depth - 1].pop(above[depth])
            if not any(known[: len(holder)] == holder for known, _ in taken.get("extra", ())):
                _note(taken, tuple(holder), {})


def put_back(owner: dict[str, Any], taken: dict[str, Any]) -> None:
    """Undo `take`."""
    if "metadata" in taken:
        owner.setdefault("metadata", {}).update(taken["metadata"])
    for (*above, last), was in taken.get("extra", ()):
        at = owner
        for part in above:
            at = at.setdefault(part, {})
        at[last] = was


def _walk(at: Any, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the objects along NAMES, up to the first that is missing."""
    for name in names:
        at = at.get(name)
        if not isinstance(at, dict):
            return
        yield at


def _note(taken: dict[str, Any], path: Path, value: Any) -> None:
    if len(path) == 2:
        taken.setdefault("metadata", {})[path[1]] = value
    else:
        taken.setdefault("extra", []).append([list(path), value])
