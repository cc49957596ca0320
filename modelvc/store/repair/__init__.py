"""Repair a store from good copies: the local store by chunk, a remote by whole packs."""
