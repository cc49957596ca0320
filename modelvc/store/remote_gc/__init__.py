"""gc of a remote while others use it. gc of the local store is store/local/compact and ops/upkeep/gc."""
