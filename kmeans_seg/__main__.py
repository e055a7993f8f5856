"""`python -m kmeans_seg`, for where the command `kmeans-seg` is not on the path."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
