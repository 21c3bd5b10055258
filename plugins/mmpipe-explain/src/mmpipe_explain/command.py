"""`mmpipe explain`"""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import mmpipe

if TYPE_CHECKING:
    from spacy.language import Language

PipelineArgument = Annotated[
    str, typer.Argument(metavar="PIPELINE", help="A config file, a saved pipeline's folder, or a pipeline's name.")
]
InputsArgument = Annotated[
    list[str], typer.Argument(metavar="INPUT...", help="Files, folders or patterns; - is standard input.")
]
OfOption = Annotated[list[str] | None, typer.Option(metavar="NAME", help="A component to explain; may be repeated.")]
DeviceOption = Annotated[str | None, typer.Option(help="auto, cpu, cuda:0, ...; a model's own setting wins.")]
TextKeyOption = Annotated[str, typer.Option(help="The key of a record that holds its text.")]
ReaderOption = Annotated[str | None, typer.Option(help="Read all inputs with this reader.")]


def explain(
    pipeline: PipelineArgument,
    inputs: InputsArgument,
    output: Annotated[str, typer.Option("--output", "-o", metavar="FILE.html", help="The page; - is standard output.")],
    of: OfOption = None,
    method: Annotated[str | None, typer.Option(help="integrated_gradients, gradient_x_input or occlusion.")] = None,
    unit: Annotated[str | None, typer.Option(help="token, word, piece or sentence.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Explain at most so many records.")] = 20,
    device: DeviceOption = None,
    text_key: TextKeyOption = "text",
    reader: ReaderOption = None,
) -> None:
    """Draw which words made labels and answers: one HTML page, which needs no network and no script.

    What the pipeline's own `mmpipe_explain` says holds; where it has none, or --of, --method or --unit is given, one is
    put at its end.
    """
    from mmpipe_explain.render import render

    settings = {"of": of or None, "method": method, "unit": unit}
    nlp = mmpipe.load(pipeline, device=device)
    explaining = add_explain(nlp, {key: value for key, value in settings.items() if value is not None})
    failed: list[Any] = []

    def note(*args: Any) -> None:
        failed.append(args[-1])
        print(f"error: {args[-1]}", file=sys.stderr)

    nlp.set_error_handler(note)
    docs = mmpipe.read_docs(nlp, inputs, reader=reader, text_key=text_key, on_error=note)
    html = render(nlp.pipe(islice(docs, limit)), field=explaining.field, title=f"Explanations of {pipeline}")
    if output == "-":
        print(html)
    else:
        Path(output).write_text(html, "utf-8")
        print(f"{output} written", file=sys.stderr)
    if failed:
        raise typer.Exit(4)


def add_explain(nlp: Language, settings: dict[str, Any]) -> Any:
    """The pipeline's last component of this kind; a new one in place of all, where there is none or settings are given.

    Raises ConfigError for a setting that is not allowed.
    """
    own = [name for name in nlp.component_names if nlp.get_pipe_meta(name).factory == "mmpipe_explain"]
    if own and not settings:
        return nlp.get_pipe(own[-1])
    for name in own:
        nlp.remove_pipe(name)
    try:
        return nlp.add_pipe("mmpipe_explain", name="explain", config=settings)
    except mmpipe.ConfigError:
        raise
    except ValueError as error:  # confection's, of what it was given
        raise mmpipe.ConfigError(
            f"the settings {settings} do not fit: {' '.join(str(error).split())}",
            where="components.explain",
            next_step="see the table of settings in the README of mmpipe-explain",
        ) from None
