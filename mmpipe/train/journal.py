"""What a training tells: a bar or lines on stderr, `training.csv`, TensorBoard, and the learning curve."""

from __future__ import annotations

import csv
import io
import logging
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmpipe.errors import MmpipeError
from mmpipe.train.checkpoint import disk_faults_told
from mmpipe.train.loop import Progress, Step

logger = logging.getLogger("mmpipe")
_OF_THE_TOKENIZER = ("speed", "token_acc", "token_p", "token_r", "token_f")
CSV, CURVE, EVENTS = "training.csv", "learning_curve.png", "tensorboard"


class Journal:
    """Keeps a row for each evaluation, and shows progress: a bar on a terminal, a line a row elsewhere.

    output: the folder that files go to, None for none. max_steps: 0 where there is no limit.
    """

    def __init__(self, output: Path | None, *, max_steps: int, has_tensorboard: bool = False) -> None:
        self.rows: list[dict[str, Any]] = []
        self._output, self._max_steps = output, max_steps
        self._n_since = 0
        self._events = _events(output) if has_tensorboard and output is not None else None
        self._bar = _bar(max_steps)

    def add(self, step: Step, progress: Progress) -> None:
        """Take note of an update; after an evaluation, of a row: the mean loss of an update since the last one."""
        self._n_since += 1
        losses = {f"loss_{name}": total / self._n_since for name, total in step.losses.items()}
        if self._bar is not None:
            score = f"  score {progress.best[0]:.4f}" if progress.results else ""
            told = f"epoch {step.epoch}  loss {sum(losses.values()):.4f}{score}"
            self._bar.start()
            self._bar.update(0, completed=progress.n_steps, told=told)
        if self._events is not None:
            self._events.add_scalar("learn_rate", step.learn_rate, step.index)
        if step.scores is None:
            return
        self._n_since = 0
        figures = {key: value for key, value in step.scores.items() if isinstance(value, int | float)}
        row = {
            "step": step.index,
            "epoch": step.epoch,
            "seconds": round(progress.seconds, 1),
            "words": progress.n_words,
            "learn_rate": step.learn_rate,
            **losses,
            "score": step.score,
            **{key: value for key, value in figures.items() if key not in _OF_THE_TOKENIZER},
        }
        self.rows.append(row)
        self._write()
        if self._events is not None:
            for key in row.keys() - {"step", "epoch", "learn_rate"}:
                self._events.add_scalar(key, row[key], step.index)
        if self._bar is None:
            told = "  ".join(f"{key} {value:.4f}" for key, value in losses.items())
            goal = f"/{self._max_steps}" if self._max_steps else ""
            best = "  best" if step.is_best else ""
            line = f"step {step.index}{goal}  epoch {step.epoch}  {told}  score {step.score:.4f}{best}"
            print(f"{line}  {progress.seconds:.0f} s", file=sys.stderr, flush=True)

    def state(self) -> dict[str, Any]:
        return {"rows": self.rows, "n_since": self._n_since}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on after those rows; what an interrupted run wrote after them is written again."""
        self.rows, self._n_since = list(state["rows"]), state["n_since"]
        self._write()
        if self._events is not None and self._output is not None and self.rows:
            self._events.close()
            self._events = _events(self._output, purge_step=self.rows[-1]["step"] + 1 + self._n_since)

    def clear(self) -> None:
        """Remove the TensorBoard events of an earlier training, which would be drawn into the same curves."""
        if self._output is None:
            return
        if self._events is not None:
            self._events.close()
        shutil.rmtree(self._output / EVENTS, ignore_errors=True)
        if self._events is not None:
            self._events = _events(self._output)

    def close(self) -> None:
        """Draw the learning curve, if matplotlib is there; end the bar."""
        if self._bar is not None:
            self._bar.stop()
        if self._events is not None:
            self._events.close()
        if self._output is not None and self.rows:
            from mmpipe.train.curve import draw

            try:
                draw(self.rows, self._output / CURVE)
            except OSError as error:  # It is the least of what a full disk costs.
                logger.warning("no learning curve: %s", error)

    def _write(self) -> None:
        if self._output is None or not self.rows:
            return
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, _columns(self.rows), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        fresh = self._output / f"{CSV}.new"
        with disk_faults_told(self._output / CSV):
            fresh.write_text(text.getvalue(), "utf-8")
            os.replace(fresh, self._output / CSV)


def _columns(rows: Sequence[dict[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    first = [name for name in names if name in ("step", "epoch", "seconds", "words", "learn_rate")]
    losses = [name for name in names if name.startswith("loss_")]
    return [*first, *losses, *(name for name in names if name not in {*first, *losses})]


def _events(output: Path, purge_step: int | None = None) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise MmpipeError(
            "TensorBoard is not installed",
            where="--tensorboard",
            next_step="pip install 'mmpipe[tensorboard]', or read training.csv",
        ) from None
    return SummaryWriter(str(output / EVENTS), purge_step=purge_step)


def _bar(max_steps: int) -> Any:
    """A bar with loss and score, on a terminal only; the first step starts it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        return None
    columns = [TextColumn("step"), MofNCompleteColumn(), BarColumn(), TimeRemainingColumn()]
    bar = Progress(*columns, TextColumn("{task.fields[told]}"), console=console)
    bar.add_task("training", total=max_steps + 1 if max_steps else None, told="")
    return bar
