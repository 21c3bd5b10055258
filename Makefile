# make run    set up and process the corpora
# make test   set up and run all checks
# make fuzz   set up and try mutated configs, records and images for FUZZ_SECONDS (3600)
# make docs   set up and build the site of docs/ into out/site
# make bench  set up and time mmpipe beside what else there is
PYTHON ?= python3
VENV := .venv
VENV5 := .venv-transformers5
# Neither of the first two goes with transformers 5.
WITHOUT5 := spacy-transformers spacy-huggingface-pipelines ray
BIN := $(VENV)/bin
PLUGINS := $(wildcard plugins/*)
PROJECTS := pyproject.toml $(PLUGINS:=/pyproject.toml)
DATA := $(wildcard ../shared/data)
export TOKENIZERS_PARALLELISM = false
export HF_HUB_OFFLINE = 1

.PHONY: run test test-transformers5 check docs fuzz bench wheels clean

CORPORA := gallery/gallery gallery/albums questions/questions articles/articles reviews/reviews

run: $(VENV)/.installed
	@mkdir -p out
	$(BIN)/python corpora/gallery/make_images.py
	$(BIN)/mmpipe run corpora/pipeline.cfg $(CORPORA:%=corpora/%.jsonl) -o out/corpora.jsonl --restart
	$(BIN)/mmpipe run corpora/articles/pipeline.zh.cfg corpora/articles/articles.zh.jsonl -o out/articles.zh.jsonl --restart
	$(BIN)/mmpipe run corpora/topics/pipeline.cfg corpora/topics/topics.jsonl -o out/topics.jsonl --restart
	$(BIN)/mmpipe run corpora/letters/pipeline.cfg corpora/letters/letters.jsonl -o out/letters.jsonl --restart
	@$(BIN)/mmpipe show out/topics.jsonl --limit 2 --field topics
	@$(BIN)/mmpipe show out/letters.jsonl --limit 2 --field privacy --field masked
	@$(BIN)/mmpipe show out/articles.zh.jsonl --field summary
	@$(BIN)/mmpipe show out/corpora.jsonl --limit 16 --gold label --by style

# Those of the plugins beside those of mmpipe: each half takes one processor.
define run-tests
	@export MMPIPE_DATA="$(DATA)"; $(1)/python -m pytest plugins & plugins=$$!; \
	$(1)/python -m pytest tests; ended=$$?; wait $$plugins && exit $$ended
endef

test: check
	$(call run-tests,$(BIN))

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

# `make test` builds it, too. NO_MKDOCS_2_WARNING: that Material's successor is another program is no warning about ours.
docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo out/site/index.html

# Core and plugins on transformers 5 and without spacy-transformers, which forbids it: hence --no-deps for ours. Without
# Ray, too: what needs it is skipped.
test-transformers5: $(VENV5)/.installed
	$(call run-tests,$(VENV5)/bin)

# What it finds stands in out/fuzz, each with its seed and input.
fuzz: $(VENV)/.installed
	$(BIN)/python scripts/fuzz --seconds $${FUZZ_SECONDS:-3600} $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.installed
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[bench]"
	$(BIN)/python corpora/gallery/make_images.py
	$(BIN)/python benchmarks/throughput.py
	$(BIN)/python benchmarks/exactness.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/run_cost.py

wheels: $(VENV)/.installed
	$(BIN)/python -m pip wheel --no-deps -w dist . $(addprefix ./,$(PLUGINS))

clean:
	rm -rf $(VENV) $(VENV5) out dist

$(VENV)/.installed: $(PROJECTS) constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[test]" $(addprefix -e ./,$(PLUGINS))
	touch $@

$(VENV5)/.installed: $(PROJECTS) constraints.txt
	$(PYTHON) -m venv $(VENV5)
	grep -vE '^(transformers|tokenizers|spacy-transformers)==' constraints.txt > $(VENV5)/constraints.txt
	$(VENV5)/bin/python -m pip install -q packaging tomli
	$(VENV5)/bin/python scripts/requirements.py $(WITHOUT5:%=--without %) > $(VENV5)/requirements.txt
	$(VENV5)/bin/python -m pip install -q -c $(VENV5)/constraints.txt -r $(VENV5)/requirements.txt "transformers>=5"
	$(VENV5)/bin/python -m pip install -q --no-deps -e . $(addprefix -e ./,$(PLUGINS))
	touch $@
