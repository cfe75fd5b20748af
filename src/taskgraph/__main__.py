"""`python -m taskgraph`."""

from taskgraph.cli import main

if __name__ == "__main__":
    main()
