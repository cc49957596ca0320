"""What is inside a version: its facts, kept by oid, and where its bytes are read from."""
