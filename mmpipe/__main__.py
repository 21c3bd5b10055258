"""`python -m mmpipe` is `mmpipe`."""

from mmpipe.cli.start import main

main()
