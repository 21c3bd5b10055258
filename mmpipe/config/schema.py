"""The schema of a pipeline's config, and the collection of every fault in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from spacy.language import Language
from spacy.util import get_lang_class, registry

from mmpipe.config.arguments import check_block, holds_function
from mmpipe.errors import Fault, PluginError
from mmpipe.names import nearest, resolve
from mmpipe.plugins import PluginRegistry

Block = dict[str, Any]


class NlpSection(BaseModel):
    """[nlp]: the language, the order of the components, and spaCy's own settings."""

    model_config = ConfigDict(extra="forbid")

    lang: str
    pipeline: list[str] = []
    disabled: list[str] = []
    batch_size: Annotated[int, Field(gt=0)] = 1000
    tokenizer: Block | None = None
    vectors: Block | None = None
    before_creation: Block | None = None
    after_creation: Block | None = None
    after_pipeline_creation: Block | None = None


class PipelineSchema(BaseModel):
    """The whole tree. The sections below `components` matter to `spacy train` and to `${...}`, not to loading."""

    model_config = ConfigDict(extra="forbid")

    nlp: NlpSection
    components: dict[str, Block] = {}
    variables: Block = {}
    paths: Block | None = None
    system: Block | None = None
    corpora: Block | None = None
    training: Block | None = None
    pretraining: Block | None = None
    initialize: Block | None = None


def find_faults(tree: Mapping[str, Any], plugins: PluginRegistry) -> list[Fault]:
    """Every fault of an interpolated config tree, outermost first. Loads no weights."""
    faults = list(_shape_faults(tree))
    nlp, components = tree.get("nlp"), tree.get("components", {})
    if not isinstance(nlp, Mapping) or not isinstance(components, Mapping):
        return faults
    language, fault = _language(nlp.get("lang"))
    if fault is not None:
        faults.append(fault)
    faults += _pipeline_faults(nlp, components)
    for name, block in components.items():
        if isinstance(block, Mapping):
            faults += _component_faults(name, block, language, plugins)
    return faults


def component_factory(block: Mapping[str, Any], language: type[Language], plugins: PluginRegistry) -> str | None:
    """The factory name of a component's block, once spaCy knows it; None where nothing registers it.

    Raises PluginError where the plugin that provides it failed or where two claim the name.
    """
    factory = block.get("factory")
    if not isinstance(factory, str):
        return None
    provided = plugins.find("components", factory)
    if provided is not None:
        try:
            resolve(provided.spec.module)
        except Exception as error:
            raise PluginError(
                f"component {factory!r} of {provided.plugin.origin} cannot be imported: {type(error).__name__}: {error}",
                next_step=f"mend or reinstall {provided.plugin.distribution}",
            ) from error
        if not language.has_factory(factory):
            raise PluginError(
                f"{provided.plugin.origin}: importing {provided.spec.module} registers no spaCy factory {factory!r}",
                next_step=f'decorate the component with @Language.factory("{factory}")',
            )
    return factory if language.has_factory(factory) else None


def known_factories(plugins: PluginRegistry) -> list[str]:
    """Names that can stand behind `factory =`: those of plugins and those of spaCy."""
    # spaCy keys factories as "language.name" where only one language has them.
    return [*plugins.names("components"), *(name for name in registry.factories.get_all() if "." not in name)]


def _shape_faults(tree: Mapping[str, Any]) -> Iterator[Fault]:
    try:
        PipelineSchema.model_validate(tree)
    except ValidationError as error:
        for problem in error.errors():
            place = [str(part) for part in problem["loc"]]
            where, model = (
                ".".join(place),
                NlpSection if place[0] == "nlp" and len(place) > 1 else PipelineSchema,
            )
            if problem["type"] == "extra_forbidden":
                kind = "section" if len(place) == 1 else "setting"
                yield Fault(where, f"unknown {kind}", nearest(place[-1], model.model_fields, listing=f"{kind}s"))
            elif problem["type"] == "missing":
                yield Fault(where, "missing", f"add [{where}]" if len(place) == 1 else f"add {place[-1]} = ...")
            else:
                yield Fault(where, f"{problem['input']!r}: {problem['msg'][0].lower()}{problem['msg'][1:]}")


def _language(lang: Any) -> tuple[type[Language], Fault | None]:
    if not isinstance(lang, str):
        return Language, None
    try:
        return get_lang_class(lang), None
    except ImportError:
        hint = nearest(lang, ["en", "zh", "de", "fr", "es", "ja", "xx"], listing="for example")
        return Language, Fault("nlp.lang", f"{lang!r}: spaCy has no such language, or needs a package for it", hint)


def _pipeline_faults(nlp: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[Fault]:
    pipeline = nlp.get("pipeline", [])
    names = [name for name in pipeline if isinstance(name, str)] if isinstance(pipeline, list) else []
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield Fault("nlp.pipeline", f"{name!r} stands {names.count(name)} times", "give each its own section")
        if name not in components:
            hint = nearest(name, components, listing="sections under components")
            yield Fault("nlp.pipeline", f"{name!r} has no section [components.{name}]", hint)
    for name in nlp.get("disabled") or [] if isinstance(nlp.get("disabled"), list) else []:
        if name not in names:
            yield Fault("nlp.disabled", f"{name!r} is not in the pipeline", nearest(str(name), names))


def _component_faults(
    name: str, block: Mapping[str, Any], language: type[Language], plugins: PluginRegistry
) -> Iterator[Fault]:
    section = f"components.{name}"
    if "." in name:
        yield Fault(section, "a component's name may not contain a dot", f"call it {name.replace('.', '_')}")
    if "source" in block:
        return
    if not isinstance(block.get("factory"), str):
        yield Fault(
            f"{section}.factory",
            "missing",
            f"known factories: {', '.join(sorted(plugins.names('components')))}",
        )
        return
    try:
        factory = component_factory(block, language, plugins)
    except PluginError as error:
        yield Fault(f"{section}.factory", error.what, error.next_step)
        return
    if factory is None:
        hint = nearest(block["factory"], known_factories(plugins), listing="known factories")
        failed = "; ".join(f"{p.origin} failed to load: {p.error}" for p in plugins.failed)
        yield Fault(
            f"{section}.factory",
            f"no plugin and no spaCy component is called {block['factory']!r}",
            f"{hint}; {failed}" if failed else hint,
        )
        return
    # As spaCy does: the language's own factory of that name, else the one for all languages.
    own = language.get_factory_name(factory)
    function = registry.factories.get(own if own in registry.factories else factory)
    yield from check_block(function, block, section=section, is_factory=True)
    for key, value in block.items():
        yield from _function_faults(value, f"{section}.{key}")


def _function_faults(value: Any, section: str) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        return
    if holds_function(value):
        kinds = [key for key in value if str(key).startswith("@")]
        kind, named = kinds[0].removeprefix("@"), value[kinds[0]]
        if len(kinds) > 1 or not hasattr(registry, kind):
            yield Fault(
                f"{section}.@{kind}",
                "not a kind of registered function",
                nearest(kind, registry.get_registry_names()),
            )
            return
        if not isinstance(named, str) or not registry.has(kind, named):
            hint = nearest(str(named), _names(kind))
            yield Fault(f"{section}.@{kind}", f"{named!r} is not registered", hint)
            return
        yield from check_block(registry.get(kind, named), value, section=section, is_factory=False)
    for key, item in value.items():
        yield from _function_faults(item, f"{section}.{key}")


def _names(kind: str) -> list[str]:
    return list(getattr(registry, kind).get_all())
