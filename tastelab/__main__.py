"""``python -m tastelab``: the command line."""

from tastelab.cli import main

if __name__ == "__main__":
    main()
