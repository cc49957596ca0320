"""One module for each group of commands: arguments in, one operation called, its result shown."""
