"""What a reader refuses to exceed, whatever a file claims (docs/format.md, Limits)."""

from __future__ import annotations

KIB, MIB = 1 << 10, 1 << 20

POINTER = 64 * KIB
ROOT = 1 * MIB
SEGMENT_RECORDS = 16_384
SEGMENT = 4 * MIB
CHUNK = 16 * MIB  # raw or stored; writers cut at 1 MiB
LEAF_ENTRIES = 8_192
LEAF = CHUNK  # bytes: a leaf is kept like a chunk
TRAILER = 64 * MIB
ENCODINGS = 256  # in the table of a pack; a segment has at most one for each record
STORE_CONFIG = 64 * KIB
DOOM_LIST = 16 * MIB
REGISTRATION = 16 * KIB
SERVER_SUPPORT = 16 * KIB
