"""A contract as a list of named checks, the faults they find, and the report of what was checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from mmpipe.names import nearest

MAX_FAULTS = 5
"""Faults of one check that are told; how many more there are is said."""
Subject = TypeVar("Subject")


class Problem(NamedTuple):
    """What one check found wrong. record: which record it was, where it was one."""

    got: str
    next_step: str
    record: str | None = None


class NotChecked(Exception):
    """Raised by a check that cannot say anything about this subject; its message is the reason."""


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """One promise of a contract. run: yields a Problem for each way in which the subject breaks it."""

    name: str
    promise: str
    run: Callable[[Subject], Iterable[Problem]]


def check(name: str, promise: str) -> Callable[[Callable[[Any], Iterable[Problem]]], Check]:
    """A decorator that makes a Check of a function."""
    return lambda function: Check(name, promise, function)


@dataclass(frozen=True)
class ContractFault:
    """One broken promise: the name of its check, what was got, for which record, what is promised, what to do next."""

    check: str
    got: str
    promised: str
    next_step: str
    record: str | None = None

    def __str__(self) -> str:
        where = f" ({self.record})" if self.record else ""
        return f"{self.check}: {self.got}{where}\n    promised: {self.promised}\n    next: {self.next_step}"


@dataclass(frozen=True)
class ContractReport:
    """What was checked of a subject. Printed, it is a list with one line a check.

    subject: what was checked. passed: names of checks that found nothing. skipped: name -> why nothing was checked.
    faults: what the others found. cpu_seconds: what each check took in this process; the first pays for loading.
    """

    subject: str
    passed: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[ContractFault, ...] = ()
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that found faults."""
        return tuple(dict.fromkeys(fault.check for fault in self.faults))

    def __str__(self) -> str:
        lines = [
            *(f"- {name}: kept" for name in self.passed),
            *(f"- {name}: not checked, {reason}" for name, reason in self.skipped.items()),
            *(f"- {fault}" for fault in self.faults),
        ]
        return "\n".join([f"the contract of {self.subject}", *lines])


class ContractError(AssertionError):
    """A subject breaks its contract. `faults` holds every fault found, `report` also what was kept or not checked."""

    def __init__(self, report: ContractReport) -> None:
        super().__init__(report)
        self.report = report
        self.faults = report.faults

    def __str__(self) -> str:
        count = len(self.faults)
        lines = [f"{count} fault{'s' * (count > 1)} of {self.report.subject}", *(f"- {fault}" for fault in self.faults)]
        lines += [f"- {name}: not checked, {reason}" for name, reason in self.report.skipped.items()]
        return "\n".join(lines)


def run_checks(
    title: str,
    subject: Any,
    checks: Sequence[Check],
    *,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
) -> ContractReport:
    """Run checks and collect every fault.

    only, skip: names of checks; what is left out stands in the report.
    Raises ContractError where there is any fault; ValueError for a name that no check has.
    """
    __tracebackhide__ = True
    names = [one.name for one in checks]
    only, skip = ([given] if isinstance(given, str) else given for given in (only, skip))
    for name in (*(only or ()), *skip):
        if name not in names:
            raise ValueError(f"no check is called {name!r}; {nearest(name, names, listing='checks')}")
    passed, skipped, faults, cpu_seconds = [], {}, [], {}
    for one in checks:
        if one.name in skip or (only is not None and one.name not in only):
            skipped[one.name] = "skip names it" if one.name in skip else "only names others"
            continue
        began = time.process_time()
        try:
            found = list(_told(one, one.run(subject)))
        except NotChecked as reason:
            skipped[one.name] = str(reason)
            continue
        except Exception as error:  # In a place where no check looks for one.
            said = " ".join(str(error).split())[:300]
            problem = Problem(f"raised {type(error).__name__}: {said}", "mend what it names")
            found = list(_told(one, [problem]))
        finally:
            cpu_seconds[one.name] = time.process_time() - began
        faults += found
        if not found:
            passed.append(one.name)
    report = ContractReport(title, tuple(passed), skipped, tuple(faults), cpu_seconds)
    if faults:
        raise ContractError(report)
    return report


def _told(one: Check, problems: Iterable[Problem]) -> Iterator[ContractFault]:
    n_more = 0
    for index, problem in enumerate(problems):
        if index < MAX_FAULTS:
            yield ContractFault(one.name, problem.got, one.promise, problem.next_step, problem.record)
        else:
            n_more += 1
    if n_more:
        yield ContractFault(one.name, f"and {n_more} more of this kind", one.promise, "mend those above first")
