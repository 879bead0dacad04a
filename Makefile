# make help lists the targets
PYTHON ?= python3
PORT ?= 8000
HOST ?= 0.0.0.0
NETWORK ?= efficientnet-lite0
VENV := .venv
BIN := $(VENV)/bin
SAM := .venv-sam
AUDIT := .venv-audit
SBOM := .venv-sbom
CLIENTS := build/clients
TYPESCRIPT := build/typescript
# Each file pins all that is needed. --no-deps: older releases of pip want a hash of `package[extra]`, too.
INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps
LOCK = $(BIN)/uv pip compile -q $(UPGRADE) --universal --fork-strategy fewest --python-version 3.11 \
  --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links
REQUIREMENTS := function/requirements function/requirements-web requirements function/requirements-otel local/models/requirements tests/requirements \
  tests/aws_lambda/requirements tests/hostile/requirements tests/clients/requirements tests/requirements-audit local/sbom/requirements local/benchmark/competitors/litserve local/benchmark/competitors/bentoml

# More processes than cores: most tests wait for servers. A file's tests stay in one process.
TEST := pytest -n 4 --dist loadfile
QUICK := -m "not (slow or browser or docker)"

NETWORKS := efficientnet-lite0 efficientnet-lite1 efficientnet-lite2
# The folder of a network's model; other names are folders.
folder = $(if $(filter $(NETWORKS),$(1)),$(if $(filter efficientnet-lite0,$(1)),function/model,function/models/$(1)),$(1))

.DEFAULT_GOAL := help
.PHONY: help run test test-all test-lambda coverage setup format check lint lock upgrade audit readme measure measure-lambda load locust \
  capacity forecast aws-check image base-digest sbom model models evaluate check-model check-photos bench bench-peers bench-load bench-truth bench-plan bench-reports bench-capacity bench-hostile bench-simulation bench-photos \
  bench-folder bench-batch bench-estimates bench-own-models bench-crowd bench-cpus bench-colour bench-explain bench-cores bench-telemetry bench-compare bench-refusals bench-all overload soak clients \
  fuzz clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

run: check-model $(VENV)/.run ## set up and serve on http://localhost:8000 (PORT=… for another port, MODEL=efficientnet-lite2 or a folder)
	@echo "Open http://localhost:$(PORT)/ or: curl -X POST --form file=@local/sample.jpg http://localhost:$(PORT)/"
	@exec env PYTHONPATH=function $(if $(MODEL),MODEL_DIR="$(call folder,$(MODEL))") $(BIN)/python -m classifier.server --host $(HOST) --port $(PORT)

check-model:
	@test -z "$(MODEL)" || test -d "$(call folder,$(MODEL))" || { \
	  echo "There is no model $(MODEL). MODEL is one of $(NETWORKS), or a folder with a model." >&2; exit 2; }

check-photos:
	@test -d "$(PHOTOS)" || { \
	  echo "$(if $(PHOTOS),There is no folder $(PHOTOS):,Say where the photos are:) make $(MAKECMDGOALS) PHOTOS=folder" >&2; exit 2; }

test: $(VENV)/.test ## set up and run the tests (6 minutes)
	$(BIN)/$(TEST) $(QUICK) $(ARGS)

test-all: $(VENV)/.test $(if $(shell command -v npm),$(TYPESCRIPT)/.made) ## the same, and those with containers, Chromium and emulators (20 minutes)
	$(BIN)/$(TEST) $(ARGS)

coverage: $(VENV)/.test ## statements and branches that `make test` runs
	$(BIN)/coverage erase
	$(BIN)/coverage run -m $(TEST) $(QUICK) $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --include "local/*"
	$(BIN)/coverage report --include "function/*" --fail-under 95

test-lambda: $(VENV)/.test $(SAM)/.made ## set up and run the tests of the container image (needs Docker)
	@docker version >/dev/null || { echo "Docker must be running." >&2; exit 2; }
	$(BIN)/pytest tests/aws tests/aws_lambda tests/classifier/test_s3.py tests/classifier/aws_lambda

image: ## build the web image, labelled with the commit (TAG=classifier-web SOURCE=https://… MODEL=efficientnet-lite2)
	docker build --target web --tag "$(or $(TAG),classifier-web)" $(if $(MODEL),--build-arg MODEL="$(MODEL)") \
	  --build-arg REVISION="$$(git rev-parse HEAD)" --build-arg SOURCE="$(SOURCE)" .

base-digest: $(VENV)/.run ## pin the newest image of the base tag in the Dockerfile (needs Docker and the network)
	$(BIN)/python -m local.base_digest $(ARGS)

sbom: $(SBOM)/.made ## list the contents of an image in build/sbom.json, as CycloneDX (IMAGE=classifier-web; needs Docker)
	@mkdir -p build
	$(SBOM)/bin/python -m local.sbom $(or $(IMAGE),classifier-web) --output build/sbom.json

load: $(VENV)/.run ## 10 requests every second, 10 times, against the running service, and a report
	$(BIN)/python local/run_multiple_tests.py --url http://localhost:$(PORT)/ --html report.html

locust: $(VENV)/.run ## Locust's page on http://localhost:8089, for the running service
	$(BIN)/locust -f locustfiles/waves.py -H http://localhost:$(PORT)

capacity: $(VENV)/.run ## the steady rate that the running service sustains (LIMIT=… ms for p99, ARGS="--arrivals waves")
	$(BIN)/python local/capacity.py --url http://localhost:$(PORT)/ --limit $(or $(LIMIT),500) --plot capacity.svg $(ARGS)

forecast: $(VENV)/.run ## simulate a load on Lambda (ARGS="-N 100 -T 1 -R 60 --warm-ms 25 --cold-ms 1500")
	$(BIN)/python local/forecast.py $(ARGS)

aws-check: $(VENV)/.run ## whether the template's parameters fit the AWS account (ARGS="ReservedConcurrency=50")
	$(BIN)/python -m local.aws_check $(ARGS)

measure-lambda: $(VENV)/.test ## size, cold start and memory of the container image (needs Docker)
	$(BIN)/python -m local.benchmark.lambda_image
	$(BIN)/python -m local.benchmark.lambda_start

# The published top-1 on ImageNet's validation photos (tensorflow/tpu, models/official/efficientnet/lite).
ACCURACY_efficientnet-lite0 := 0.751
ACCURACY_efficientnet-lite1 := 0.767
ACCURACY_efficientnet-lite2 := 0.776

model: check-photos $(VENV)/.test ## build the model of NETWORK=… from its packages (default efficientnet-lite0); PHOTOS=folder to calibrate with
	$(BIN)/python -m local.models.build --network $(NETWORK) --calibration "$(PHOTOS)" \
	  $(if $(PHOTOS_TITLE),--calibration-set "$(PHOTOS_TITLE)")
	$(BIN)/python -m local.models.temperature --network $(NETWORK) --images "$(PHOTOS)" \
	  --accuracy $(ACCURACY_$(NETWORK)) $(if $(filter efficientnet-lite0,$(NETWORK)),--json docs/measured/reliability.json)
	$(BIN)/python -m local.models.evaluate --network $(NETWORK) --images "$(PHOTOS)" --update-card

models: check-photos $(VENV)/.test ## the same for all networks (40 minutes; PHOTOS_TITLE=… describes the photos in the cards)
	for each in $(NETWORKS); do $(MAKE) model NETWORK=$$each || exit; done

evaluate: check-photos build/$(if $(filter-out efficientnet-lite0,$(NETWORK)),$(NETWORK)-)fp32.onnx ## FP32 against INT8 on the photos in PHOTOS=folder (NETWORK=…)
	$(BIN)/python -m local.models.evaluate --network $(NETWORK) --images "$(PHOTOS)" --split evaluation

fuzz: $(VENV)/.fuzz ## 200,000 inputs for each parser, guided by coverage (RUNS=…)
	$(BIN)/python -m tests.hostile.fuzz_images -runs=$(or $(RUNS),200000)
	$(BIN)/python -m tests.hostile.fuzz_uploads -runs=$(or $(RUNS),200000)

bench: build/fp32.onnx ## speed: the service beside its baseline and a tutorial app (ARGS="--quick --json bench.json")
	$(BIN)/python -m local.benchmark $(ARGS)

bench-peers: build/fp32.onnx ## the same, with LitServe and BentoML in environments of their own
	$(BIN)/python -m local.benchmark --peers $(ARGS)

bench-telemetry: $(VENV)/.test ## CPU that metrics and traces take in a request
	$(BIN)/python -m tests.measure.telemetry $(ARGS)

bench-load: $(VENV)/.test ## lateness and CPU of the load client, beside Locust, wrk and hey
	$(BIN)/python -m tests.measure.load_client $(ARGS)

bench-truth: $(VENV)/.test ## load-test reports beside the known latencies of exact servers
	$(BIN)/python -m tests.measure.load_truth $(ARGS)

bench-plan: $(VENV)/.test ## one plan in the classic script, Locust and the forecast
	$(BIN)/python -m tests.measure.one_plan $(ARGS)

bench-reports: $(VENV)/.test ## time, memory and size of the reports of a million requests (ARGS="--quick")
	$(BIN)/python -m tests.measure.load_reports $(ARGS)

bench-capacity: $(VENV)/.test ## the capacity that is found for servers whose capacity is known (ARGS="--quick")
	$(BIN)/python -m tests.measure.capacity_truth $(ARGS)

bench-hostile: $(VENV)/.test ## time and memory that malformed images and endless requests take
	$(BIN)/python -m tests.measure.images $(ARGS)
	$(BIN)/python -m tests.measure.hostile_http $(ARGS)

bench-refusals: $(VENV)/.test ## how often clients see the 413 for an upload that is too large (ARGS="--tries 5")
	$(BIN)/python -m tests.measure.refusals $(ARGS)

bench-colour: check-photos $(VENV)/.test ## predictions for photos in other colour spaces than sRGB; PHOTOS=folder
	$(BIN)/python -m tests.measure.colour --photos "$(PHOTOS)" $(ARGS)

bench-explain: check-photos $(VENV)/.test ## whether the maps of ?explain=1 show where the model looks; PHOTOS=folder
	$(BIN)/python -m tests.measure.explain --photos "$(PHOTOS)" $(ARGS)

bench-cores: $(VENV)/.test ## cores that one process keeps busy, and the rate of 4, 16 and 64 cores (ARGS="--quick")
	$(BIN)/python -m local.benchmark.cores $(ARGS)

bench-cpus: build/fp32.onnx ## logits on emulated processors of x86-64 and arm64 (see CONTRIBUTING.md); PHOTOS=folder
	$(BIN)/python -m tests.measure.every_cpu $(if $(PHOTOS),--photos "$(PHOTOS)" --count 50) --json docs/measured/every-cpu.json $(ARGS)
	$(BIN)/python -m local.docs

bench-folder: $(VENV)/.test ## rate of `python -m classifier` beside bare loops (ARGS="--quick")
	$(BIN)/python -m tests.measure.folder $(ARGS)

bench-batch: $(VENV)/.test ## ten thousand photos through S3 Batch Operations: every result is right and counted (ARGS="--quick")
	$(BIN)/python -m tests.measure.batch $(ARGS)

bench-simulation: $(VENV)/.test ## speed of the forecast
	$(BIN)/python -m tests.measure.simulation $(ARGS)

bench-compare: $(VENV)/.test ## how often compare.py errs: false alarms and power (ARGS="--quick")
	$(BIN)/python -m tests.measure.compare_power $(ARGS)

bench-photos: $(VENV)/.test ## ordinary photos of all formats, with 512 MB, 1 GB and 2 GB (ARGS="--quick --no-docker")
	$(BIN)/python -m local.benchmark.photos $(ARGS)

bench-estimates: $(VENV)/.test ## memory reserved for images against what decoding them takes
	$(BIN)/python -m tests.measure.estimates $(ARGS)

bench-own-models: $(VENV)/.test ## precision that the build chooses for small networks of many kinds (ARGS="--quick")
	$(BIN)/python -m tests.measure.own_models $(ARGS)

bench-crowd: $(VENV)/.test ## many clients with large images against a container of 512 MB (ARGS="--quick --no-docker")
	$(BIN)/python -m local.benchmark.crowd $(ARGS)

overload: $(VENV)/.test ## goodput under 8 to 4,000 connections that retry (ARGS="--quick --json FILE --peers --before DIR")
	$(BIN)/python -m local.benchmark.overload $(ARGS)

clients: $(VENV)/.test $(CLIENTS)/python/.made $(CLIENTS)/node/.made ## classify with curl, Java, Go, … and renew the table (BEFORE=another checkout)
	$(BIN)/python -m tests.clients $(if $(BEFORE),--before "$(BEFORE)") --json docs/measured/clients.json
	$(BIN)/python -m local.docs

soak: $(VENV)/.test ## 100,000 requests of every kind: no resource may grow (ARGS="--requests 20000")
	$(BIN)/python -m tests.measure.soak $(ARGS)

# Here only a figure that misses twice its target, three times in a row, fails.
bench-all: build/fp32.onnx ## every measurement above in its short form (10 minutes)
	@status=0; \
	run() { echo "== python -m $$*"; $(BIN)/python -m "$$@" --gross || status=1; }; \
	run local.benchmark --quick; \
	run tests.measure.load_client --quick; \
	run tests.measure.load_truth; \
	run tests.measure.load_reports --quick; \
	run tests.measure.telemetry --quick; \
	run tests.measure.capacity_truth --quick; \
	run tests.measure.images --quick; \
	run tests.measure.hostile_http; \
	run tests.measure.simulation --quick; \
	run tests.measure.compare_power --quick; \
	run tests.measure.folder --quick; \
	run tests.measure.batch --quick; \
	run tests.measure.estimates --quick --no-corpus; \
	run local.benchmark.photos --quick --no-docker; \
	run local.benchmark.crowd --quick --no-docker; \
	run local.benchmark.overload --quick; \
	run local.benchmark.cores --quick; \
	run tests.measure.soak --requests 5000 --repeat 3; \
	exit $$status

setup: $(VENV)/.test ## install everything into .venv

format: $(VENV)/.test ## format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: $(VENV)/.test ## style, spelling, types and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy
	PYTHONPATH=function:. $(BIN)/lint-imports

check: lint test ## lint and test, before a pull request

readme: $(VENV)/.run ## renew the tables in README.md, SECURITY.md and docs/
	$(BIN)/python -m local.docs

measure: build/fp32.onnx ## renew the figures of those tables (two hours; needs Docker; BEFORE=another checkout)
	$(BIN)/python -m local.benchmark --peers --json docs/measured/benchmark.json
	$(BIN)/python -m local.benchmark.lambda_image --json docs/measured/lambda.json
	$(BIN)/python -m local.benchmark.lambda_start --json docs/measured/lambda-start.json
	$(BIN)/python -m local.benchmark.models --json docs/measured/models.json
	$(BIN)/python -m local.benchmark.photos --json docs/measured/photos.json
	$(BIN)/python -m tests.measure.estimates --json docs/measured/estimates.json
	$(BIN)/python -m tests.measure.compare_power --json docs/measured/comparison.json
	$(BIN)/python -m local.benchmark.overload --peers $(if $(BEFORE),--before "$(BEFORE)") --json docs/measured/overload.json
	$(BIN)/python -m local.benchmark.cores --json docs/measured/cores.json
	$(BIN)/python -m local.docs

lock: $(VENV)/.test ## pin the packages of each requirements.in with hashes; pinned versions stay
	for each in $(REQUIREMENTS); do $(LOCK) $$each.in -o $$each.txt || exit; done

upgrade: ## the same, with the newest releases
	$(MAKE) lock UPGRADE=--upgrade

audit: $(AUDIT)/.made ## known vulnerabilities in what ships (ARGS="requirements.txt …"; needs the network)
	$(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
	  $(addprefix -r ,$(or $(ARGS),function/requirements.txt))

clean: ## remove the files that the targets made
	rm -rf $(VENV) $(SAM) $(AUDIT) $(SBOM) .aws-sam build report.html capacity.svg .mypy_cache .pytest_cache \
	  .ruff_cache

# The tutorial app's model. Order only: a newer environment makes no other model. Under its name when
# it is complete: a run may be killed.
build/fp32.onnx: | $(VENV)/.test
	$(BIN)/python -m local.models.float_model --fp32 $@.part
	@mv $@.part $@

build/%-fp32.onnx: | $(VENV)/.test
	$(BIN)/python -m local.models.float_model --network $* --fp32 $@.part
	@mv $@.part $@

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.13" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# In a separate environment: the requirements of the SAM CLI conflict with those of the project.
$(SAM)/.made: $(VENV)/.python tests/aws_lambda/requirements.txt
	$(PYTHON) -m venv --clear $(SAM)
	$(SAM)/bin/python $(INSTALL) -r tests/aws_lambda/requirements.txt
	@touch $@

# The clients of tests/clients, as their users install them.
$(CLIENTS)/python/.made: $(VENV)/.python tests/clients/requirements.txt
	$(PYTHON) -m venv --clear $(CLIENTS)/python
	$(CLIENTS)/python/bin/python $(INSTALL) -r tests/clients/requirements.txt
	@touch $@

$(CLIENTS)/node/.made: tests/clients/package.json tests/clients/package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed: apt-get install nodejs npm" >&2; exit 2; }
	@mkdir -p $(@D)
	cp tests/clients/package.json tests/clients/package-lock.json $(@D)
	npm ci --prefix $(@D) --fetch-retries 5 --ignore-scripts --no-audit --no-fund --loglevel error
	@touch $@

$(AUDIT)/.made: $(VENV)/.python tests/requirements-audit.txt
	$(PYTHON) -m venv --clear $(AUDIT)
	$(AUDIT)/bin/python $(INSTALL) -r tests/requirements-audit.txt
	@touch $@

$(SBOM)/.made: $(VENV)/.python local/sbom/requirements.txt
	$(PYTHON) -m venv --clear $(SBOM)
	$(SBOM)/bin/python $(INSTALL) -r local/sbom/requirements.txt
	@touch $@

# Where npm's registry is out of reach, the test that needs these packages is skipped.
$(TYPESCRIPT)/.made: tests/generators/typescript/package-lock.json
	mkdir -p $(@D)
	cp tests/generators/typescript/package.json $< $(@D)
	-npm ci --prefix $(@D) --fetch-retries 5 --ignore-scripts --no-audit --no-fund --silent && touch $@

$(VENV)/.run: $(VENV)/.python requirements.txt
	$(BIN)/python $(INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.fuzz: $(VENV)/.test tests/hostile/requirements.txt
	$(BIN)/python $(INSTALL) -r tests/hostile/requirements.txt
	@touch $@

$(VENV)/.test: $(VENV)/.run tests/requirements.txt local/models/requirements.txt
	$(BIN)/python $(INSTALL) -r tests/requirements.txt
	@touch $@
