"""Whether the files of a run are what its manifest says, counted and hashed anew."""

from __future__ import annotations

from pathlib import Path

from mmpipe.corpus.manifest import FINISHED, Manifest, ShardEntry
from mmpipe.corpus.quarantine import read_lines
from mmpipe.models.files import file_sha256


def faults_of(manifest: Manifest) -> list[str]:
    """What is wrong, a line each; nothing where all is well.

    Every shard must be there with its digest, its quarantine too; records must be accounted for: read = written +
    quarantined + skipped, in each shard and in all; a finished run's shards must follow one another.
    """
    faults, counts, next_first = [], manifest.counts, 0
    for index in sorted(manifest.shards):
        entry = manifest.shards[index]
        faults += _faults_of_shard(manifest, entry)
        if manifest.state == FINISHED and entry.first != next_first:
            faults.append(f"records {next_first:,} to {entry.first - 1:,} are in no shard")
        next_first = entry.first + entry.n_read
    if counts.n_read != counts.n_written + counts.n_quarantined + counts.n_skipped:
        faults.append("not every record that was read is accounted for")
    if manifest.state == FINISHED:
        n_lines = sum(1 for _ in read_lines(manifest.layout.quarantine))
        if n_lines != counts.n_quarantined:
            name = manifest.layout.quarantine.name
            faults.append(f"{name} holds {n_lines:,} records, not {counts.n_quarantined:,}")
    return faults


def damaged(manifest: Manifest) -> list[int]:
    """The shards whose files are not what the manifest says."""
    return [index for index, entry in sorted(manifest.shards.items()) if _faults_of_shard(manifest, entry)]


def _faults_of_shard(manifest: Manifest, entry: ShardEntry) -> list[str]:
    layout, faults = manifest.layout, []
    file, quarantine = layout.shard(entry.index), layout.shard_quarantine(entry.index)
    faults += _fault_of_file(file, entry.sha256)
    if entry.quarantine_sha256 is not None:
        faults += _fault_of_file(quarantine, entry.quarantine_sha256)
    elif quarantine.exists():
        faults.append(f"{quarantine.name} is there, though nothing of the shard failed")
    if entry.n_read != entry.n_written + entry.n_quarantined + entry.n_skipped:
        faults.append(f"{file.name} does not account for every record")
    if layout.ending == ".jsonl" and not faults:
        n_lines = _n_lines(file)
        if n_lines != entry.n_written:
            faults.append(f"{file.name} holds {n_lines:,} records, not {entry.n_written:,}")
    return faults


def _fault_of_file(file: Path, sha256: str) -> list[str]:
    if not file.exists():
        return [f"{file.name} is missing"]
    return [] if file_sha256(file) == sha256 else [f"{file.name} has been changed"]


def _n_lines(file: Path) -> int:
    n_lines = 0
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            n_lines += block.count(b"\n")
    return n_lines
