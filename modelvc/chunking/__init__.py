"""Decide where content is cut into chunks. Pure: bytes in, numbers out."""
