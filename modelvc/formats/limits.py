"""The limits of mvc's formats, for readers and writers alike (docs/format.md, Limits). Sizes are in bytes.

Limits elsewhere:
- of paths in `formats.paths` and of notebooks in `formats.notebook_rules`, because short paths import no other module;
- of input that others wrote, in its reader: `formats.pointer.metrics`, `formats.text.yaml_core`, `modelfiles`, `git`;
- of files that one package uses, in that package (docs/design.md lists these files).
"""

from __future__ import annotations

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

POINTER = 64 * KIB
POINTER_HEAD = 4 * KIB  # the part before [metrics]
METRICS = 1_000  # in one pointer
METRIC_NAME, METRIC_TEXT = 200, 1_000  # characters
CONFLICT_LABEL = 100  # characters
MODEL_TEXT = 200  # characters
MODEL_IMPORTS = 8 * KIB
MODEL_CODE = 20
ENVIRONMENT_TEXT = 100  # characters
ENVIRONMENT_PACKAGES = 8 * KIB  # names and versions together

ROOT = 1 * MIB
SEGMENT_RECORDS = 16_384
SEGMENT = 4 * MIB
CHUNK = 16 * MIB  # raw or stored; writers cut at 1 MiB
LEAF_ENTRIES = 8_192
LEAF = CHUNK  # a leaf is kept like a chunk
TRAILER = 64 * MIB
ENCODINGS = 256  # in the table of a pack; a segment has at most one for each record

STORE_CONFIG = 64 * KIB
DOOM_LIST = 16 * MIB
REGISTRATION = 16 * KIB
REGISTRATION_PLACE = 2_000  # characters

CONFIG = 1 * MIB  # the committed one, and that of a clone
CONFIG_TEXT = 4_096  # characters of one string
PATTERNS = 1_000
POLICY = 1 * MIB
POLICY_ENTRIES = 1_000  # of each kind
TRUSTED_IMPORTS = 256 * KIB
TRUSTED_NAMES, TRUSTED_NAME = 1_000, 200  # names, and characters of one

SERVER_SUPPORT = 16 * KIB
PROOF = 8 * MIB
PROOF_TIPS, PROOF_LOST, PROOF_REMOTES = 1_000, 1_000, 100  # lines

PREDICTIONS = 4 * GIB
PREDICTION_ROWS, PREDICTION_COLUMNS = 10_000_000, 1_000
PREDICTION_SCORES = 100_000_000  # rows times columns of scores
PREDICTION_LINE = 64 * KIB
PREDICTION_FIELD = 1_000  # characters
