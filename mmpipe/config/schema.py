"""The schema of a pipeline's config, and the collection of every fault in one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from spacy.language import Language
from spacy.util import get_lang_class, registry

from mmpipe.config.advice import advice_on, told
from mmpipe.config.arguments import check_block, holds_function, shortened
from mmpipe.config.factories import component_factory, known_factories, meant_factory
from mmpipe.errors import Fault, PluginError
from mmpipe.names import nearest
from mmpipe.plugins import PluginRegistry

Block = dict[str, Any]


class NlpSection(BaseModel):
    """[nlp]: the language, the order of the components, and spaCy's own settings.

    lang: a language code, such as "en", or "xx" for several.
    pipeline: the components' names, in the order they work.
    disabled: components that are loaded and do not work until they are enabled.
    batch_size: documents that `nlp.pipe` takes together where the caller does not say.
    tokenizer: the block of a registered tokenizer, such as `{"@tokenizers": "spacy.Tokenizer.v1"}`, the language's own.
    vectors: the block of registered word vectors.
    before_creation, after_creation, after_pipeline_creation: the block of a registered callback of spaCy's.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    lang: str
    pipeline: list[str] = []
    disabled: list[str] = []
    batch_size: Annotated[int, Field(gt=0)] = 1000
    tokenizer: Block = {}
    vectors: Block = {}
    before_creation: Block | None = None
    after_creation: Block | None = None
    after_pipeline_creation: Block | None = None


class PipelineSchema(BaseModel):
    """The whole tree. The sections below `components` matter to training and to `${...}`, not to loading.

    nlp: the language and the order of the components.
    components: a block for each component, by its name.
    variables: values of your own, for `${variables.name}` elsewhere.
    paths: files of a training, for `${paths.train}`.
    system: seed and device of a training.
    corpora: the readers of a training's examples.
    training: spaCy's training loop; see the guide to training.
    pretraining: spaCy's pretraining.
    initialize: what a training begins with: labels, vectors, callbacks.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

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
                value = problem["input"]
                yield Fault(where, f"{shortened(value)}: {told(problem)}", advice_on(problem, value))


def language_class(lang: Any) -> type[Language] | None:
    """The class of a language code. spaCy looks for a module, and takes its own helper modules for languages."""
    if not isinstance(lang, str) or not lang.isidentifier():
        return None
    try:
        found = get_lang_class(lang)
    except (ImportError, AttributeError, TypeError):
        return None
    return found if isinstance(found, type) and issubclass(found, Language) else None


def _language(lang: Any) -> tuple[type[Language], Fault | None]:
    if not isinstance(lang, str):
        return Language, None
    found = language_class(lang)
    if found is not None:
        return found, None
    hint = nearest(lang, ["en", "zh", "de", "fr", "es", "ja", "xx"], listing="languages are two-letter codes, such as")
    return Language, Fault("nlp.lang", f"{lang!r}: spaCy has no such language", hint)


def _pipeline_faults(nlp: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[Fault]:
    pipeline = nlp.get("pipeline", [])
    names = [name for name in pipeline if isinstance(name, str)] if isinstance(pipeline, list) else []
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            yield Fault("nlp.pipeline", f"{name!r} stands {names.count(name)} times", "give each its own section")
        if name not in components:
            hint = nearest(name, components, listing=f"add [components.{name}]; sections under components")
            yield Fault("nlp.pipeline", f"{name!r} has no section [components.{name}]", hint)
    disabled = nlp.get("disabled")
    for name in disabled if isinstance(disabled, list) else []:
        if isinstance(name, str) and name not in names:
            yield Fault("nlp.disabled", f"{name!r} is not in the pipeline", nearest(name, names, listing="in it"))


def _component_faults(
    name: str, block: Mapping[str, Any], language: type[Language], plugins: PluginRegistry
) -> Iterator[Fault]:
    section = f"components.{name}"
    if "." in name:
        yield Fault(section, "a component's name may not contain a dot", f"call it {name.replace('.', '_')}")
    elif not name or set(name) & set("[]=\r\n\0/\\:") or name != name.strip():
        # A saved pipeline has a folder of that name.
        yield Fault(section, f"{name!r} cannot name a section", "use letters, digits, _ and -")
    if "source" in block:
        if not isinstance(block["source"], str):
            yield Fault(f"{section}.source", f"{block['source']!r}: not a string", "name a saved pipeline or package")
        return
    if not isinstance(block.get("factory"), str):
        said = f"{shortened(block['factory'])}: not a string" if "factory" in block else "missing"
        hint = nearest(name, plugins.names("components"), listing="known factories")
        misspelt = [key for key in block if "did you mean" in nearest(key, ["factory"]) and key != "factory"]
        yield Fault(f"{section}.factory", said, f"rename {misspelt[0]!r} to 'factory'" if misspelt else hint)
        return
    try:
        factory = component_factory(block, language, plugins)
    except PluginError as error:
        yield Fault(f"{section}.factory", error.what, error.next_step or "mend the plugin", is_plugin=True)
        return
    if factory is None:
        hint = nearest(block["factory"], known_factories(plugins), listing="known factories")
        said = f"no plugin and no spaCy component is called {block['factory']!r}"
        yield Fault(f"{section}.factory", said, plugins.with_absent(hint))
        factory = meant_factory(block, language, plugins)
    if factory is None:
        yield from function_faults({key: value for key, value in block.items() if not key.startswith("@")}, section)
        return
    # As spaCy does: the language's own factory of that name, else the one for all languages.
    own = language.get_factory_name(factory)
    function = registry.factories.get(own if own in registry.factories else factory)
    yield from check_block(function, block, section=section, is_factory=True)
    for key, value in block.items():
        if key.startswith("@"):
            hint = "a component has a factory; @... belongs to a section below it, such as model"
            yield Fault(f"{section}.{key}", "not a setting of a component", hint)
        yield from function_faults(value, f"{section}.{key}")


def function_faults(value: Any, section: str) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        return
    if holds_function(value):
        kinds = [key for key in value if str(key).startswith("@")]
        kind, named = kinds[0].removeprefix("@"), value[kinds[0]]
        place = f"{section}.@{kind}"
        if len(kinds) > 1:
            yield Fault(place, f"the section names {len(kinds)} functions: {', '.join(kinds)}", "leave one of them")
            return
        if kind not in registry.get_registry_names():
            hint = nearest(kind, registry.get_registry_names())
            yield Fault(place, "not a kind of registered function", hint)
            return
        try:
            function = registry.get(kind, named) if isinstance(named, str) and registry.has(kind, named) else None
        except Exception as error:
            said = f"{named!r} cannot be imported: {type(error).__name__}: {error}"
            yield Fault(place, said, "mend or reinstall the package that provides it", is_plugin=True)
            return
        if function is None:
            yield Fault(place, f"{named!r} is not registered", nearest(str(named), _names(kind)))
            return
        yield from check_block(function, value, section=section, is_factory=False)
    for key, item in value.items():
        yield from function_faults(item, f"{section}.{key}")


def _names(kind: str) -> list[str]:
    catalogue = getattr(registry, kind)
    # Entry points by name only: one that cannot be imported must not hide the others.
    declared = [point.name for point in catalogue._get_entry_points()] if catalogue.entry_points else []
    return [*declared, *type(catalogue)(catalogue.namespace).get_all()]
