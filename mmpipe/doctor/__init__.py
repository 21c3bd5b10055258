"""What is wrong with an installation, and the command that mends it: `mmpipe doctor`.

It works where what it looks at is broken: here, only the standard library is imported at once; what may fail or end
the process (torch, spaCy, plugins) is imported in a process of its own.
"""

from mmpipe.doctor.examination import Examination, examine
from mmpipe.doctor.finding import Finding

__all__ = ["Examination", "Finding", "examine"]
