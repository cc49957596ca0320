"""Check what a store holds and name what is wrong. Only a wrong pack index is dropped: it is a cache."""
