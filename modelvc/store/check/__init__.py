"""Read what a store holds and say what is wrong. Changes nothing."""
