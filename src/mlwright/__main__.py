"""``python -m mlwright`` is ``mlwright``."""

from mlwright.doors.cli.main import main

if __name__ == "__main__":
    main()
