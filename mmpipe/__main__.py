"""`python -m mmpipe` is `mmpipe`."""

from mmpipe.cli.main import main

main()
