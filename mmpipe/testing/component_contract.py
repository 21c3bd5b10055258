"""`check_component`: the contract of a component, proved on anyone's."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from mmpipe.config import read_pipeline
from mmpipe.config.dataflow import providers_of, unmet
from mmpipe.errors import MmpipeError
from mmpipe.plugins import get_plugins
from mmpipe.testing.checks import invariance, isolation, processes, results, serialisation
from mmpipe.testing.checks.settings import CHECKS as SETTINGS
from mmpipe.testing.checks.subject import Subject, told
from mmpipe.testing.contract import ContractError, ContractFault, ContractReport, run_checks
from mmpipe.testing.records import N_HUGE_CHARS, ORDINARY_RECORDS

CHECKS = (
    *invariance.CHECKS,
    *results.CHECKS,
    *isolation.CHECKS,
    *serialisation.CHECKS,
    *SETTINGS,
    *processes.CHECKS,
)
COMPONENT_CHECKS = tuple(check.name for check in CHECKS)
"""Names of the checks of `check_component`, for `only` and `skip`, in the order they run."""


def check_component(
    factory: str,
    config: Mapping[str, Any] | None = None,
    *,
    records: Iterable[Mapping[str, Any] | str] | None = None,
    before: Mapping[str, Mapping[str, Any]] | Iterable[str] = (),
    name: str | None = None,
    lang: str = "en",
    root: Path | str = ".",
    tolerance: float = 1e-5,
    prepare: Callable[[Any], Any] | None = None,
    failing: Mapping[str, Any] | str | None = None,
    optional: Collection[str] = (),
    n_huge_chars: int = N_HUGE_CHARS,
    timeout_seconds: float = 300.0,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
) -> ContractReport:
    """Prove that a component keeps the contract of mmpipe's components.

    factory: its spaCy factory name, provided by an installed plugin or registered by `@Language.factory`.
    config: its settings; small models make the checks fast (mmpipe.testing.tiny_checkpoint).
    records: two or more that it takes; ORDINARY_RECORDS when None. Those of AWKWARD_RECORDS are tried in any case.
    before: components that stand before it: names of factories, or name -> block as in a config.
    name: of the component; that of the factory when None. lang: of the pipeline. root: the folder of image paths.
    tolerance: how far numbers of equal results may be apart, absolute.
    prepare: called with the component once it is built, to bring it into a state that has to survive saving.
    failing: a record that makes it fail; when None, a document that cannot be read stands for one.
    optional: what `assigns` declares and these settings do not call for, such as `{"doc.spans"}`.
    n_huge_chars: characters of the longest text. timeout_seconds: for the check that starts processes.
    only, skip: names of checks (COMPONENT_CHECKS); what is left out stands in the report.
    Raises ContractError, an AssertionError, that lists every fault; ValueError for a name that no check has.
    """
    __tracebackhide__ = True
    given = ORDINARY_RECORDS if records is None else records
    named = [{"text": one} if isinstance(one, str) else one for one in given]
    earlier = before if isinstance(before, Mapping) else {one: {"factory": one} for one in before}
    subject = Subject(
        factory,
        dict(config or {}),
        [{"id": f"given {index + 1}", **record} for index, record in enumerate(named)],
        {other: dict(block) for other, block in earlier.items()},
        name or factory,
        lang=lang,
        root=Path(root),
        tolerance=tolerance,
        prepare=prepare,
        failing={"text": failing} if isinstance(failing, str) else failing,
        optional=frozenset(optional),
        n_huge_chars=n_huge_chars,
        timeout_seconds=timeout_seconds,
    )
    title = f"component {factory!r}"
    try:
        _ = subject.nlp
    except Exception as error:
        said = f"mmpipe.load raised {told(error)}"
        fault = ContractFault("builds", said, "a factory builds its component", _mend(subject))
        # What an error of ours has to say, it says; where it was raised helps nobody.
        cause = None if isinstance(error, MmpipeError) else error
        raise ContractError(ContractReport(title, faults=(fault,))) from cause
    try:
        return run_checks(title, subject, CHECKS, only=only, skip=skip)
    finally:
        subject.folder.cleanup()


def _mend(subject: Subject) -> str:
    """The next step for a component that cannot be built."""
    waiting = "all other checks wait for this"
    try:
        stages = read_pipeline(subject.tree(), None, get_plugins()).stages
    except MmpipeError:
        stages = ()
    needs = [need for name, need in unmet(stages) if name == subject.name]
    found = dict.fromkeys(first for need in needs for first in providers_of(need)[:1])
    if not found:
        return f"mend the settings or the factory; {waiting}"
    before = json.dumps([*subject.earlier, *found])
    return f"name what it needs before it: check_component({subject.factory!r}, ..., before={before}); {waiting}"
