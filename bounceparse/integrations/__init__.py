"""Other programs' interfaces, on our engine: each file is one that a program can import in place of what it has."""
