"""How an object becomes segments and stored chunks, and comes back. Knows no place."""
