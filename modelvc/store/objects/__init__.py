"""Turn an object into segments and stored chunks, and back. Knows no store."""
