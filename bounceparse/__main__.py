"""`python -m bounceparse`."""

from __future__ import annotations

from bounceparse.cli import main

if __name__ == "__main__":
    main()
