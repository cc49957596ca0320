"""One module for each group of commands. A command takes arguments, calls one operation and prints its result."""
