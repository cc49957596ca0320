"""Check what a store holds and name what is wrong. Changes nothing."""
