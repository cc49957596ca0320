"""Repair a store from good copies, byte for byte."""
