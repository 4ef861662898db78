# Each verb prints and runs one command that you could type. INVENTORY=lab (default), cloud or single.
INVENTORY ?= lab
IMAGES ?= 2000
RUN ?=
FAULT ?=
ID ?=
FILE ?=
BENCH ?=
BACKUP ?=
FROM ?=
CONFIRM ?=
ACCEPT ?=
RECIPIENT ?=
PURGE ?=
MINUTES ?= 30
# Ansible ends at once in a locale that this machine does not have, and an ssh client may bring such a one along.
export LC_ALL := $(if $(shell locale -a 2> /dev/null | grep -ixE 'C\.utf-?8'),C.UTF-8,en_US.UTF-8)
PLAY = .venv/bin/ansible-playbook -i inventory/$(INVENTORY)
# site.yml with a line for each part, its seconds and its changes; failures are shown whole, and everything is in the log.
LOG = reports/$(INVENTORY)/site.log
SITE = @mkdir -p $(dir $(LOG)) && : > $(LOG) && export ANSIBLE_LOG_PATH=$(LOG) ANSIBLE_STDOUT_CALLBACK=parts && set -x && $(PLAY) site.yml

.DEFAULT_GOAL := help
.PHONY: help setup doctor preflight deploy health run status watch verify report console trace model-check wait rolling-restart support-bundle backup restore-drill restore restore-finish backup-secrets uninstall lab lab-down drill lint test test-fast test-security test-faults test-kernel bench

help: ## show this
	@echo "make VERB [INVENTORY=lab|cloud|single]"; echo
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r verb text; do printf '  %-14s %s\n' "$$verb" "$$text"; done

setup: .venv/.complete ## make .venv with Ansible and the tools that test, by hash
.venv/.complete: requirements/controller.txt
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/controller.txt
	touch $@

doctor: ## look whether the lab can run here; changes nothing
	$(firstword $(wildcard .venv/bin/python) python3) lab/doctor

deploy: .venv/.complete ## install, configure and start everything
	$(SITE)

preflight: .venv/.complete ## test what can be tested before an installation; changes nothing
	$(PLAY) playbooks/preflight.yml

health: .venv/.complete ## ask every part whether it is healthy
	$(PLAY) playbooks/health.yml

run: .venv/.complete ## send images and follow them: IMAGES=2000, RUN=name resumes or replays a run; Ctrl-C ends only the following
	$(PLAY) playbooks/run.yml -e images=$(IMAGES) $(if $(RUN),-e run=$(RUN))
	$(PLAY) playbooks/wait.yml -e minutes=$(MINUTES)

status: .venv/.complete ## show what every part does at this moment
	$(PLAY) playbooks/status.yml

wait: .venv/.complete ## wait until everything that was sent is stored, classified and counted: MINUTES=30
	$(PLAY) playbooks/wait.yml -e minutes=$(MINUTES)

watch: .venv/.complete ## rates, lags, units and alerts of the pipeline, every two seconds until Ctrl-C
	@.venv/bin/python playbooks/files/watch.py inventory/$(INVENTORY)

verify: .venv/.complete ## recount everything without Spark and compare
	$(PLAY) playbooks/verify.yml

report: .venv/.complete ## verify, and make the page, the CSV and the chart in reports/
	$(PLAY) playbooks/report.yml

console: .venv/.complete ## print the live console's address, user, password, CA fingerprint and ssh tunnel
	$(PLAY) playbooks/console.yml

trace: .venv/.complete ## follow one image: ID=101-first-000000000007
	$(PLAY) playbooks/trace.yml -e id=$(ID)

model-check: .venv/.complete ## try a model file on an inference VM: FILE=/path/to/model.safetensors
	$(PLAY) playbooks/model_check.yml -e '{"file": "$(if $(filter-out /%,$(firstword $(FILE))),$(CURDIR)/)$(FILE)"}'

rolling-restart: .venv/.complete ## restart everything, one VM at a time, each behind its health
	$(PLAY) playbooks/rolling_restart.yml

support-bundle: .venv/.complete ## collect versions, states, journals and settings of every VM into one archive without secrets
	$(PLAY) playbooks/support_bundle.yml

backup: .venv/.complete ## back the database up, with the state of Kafka that belongs to it
	$(PLAY) playbooks/backup.yml

restore-drill: .venv/.complete ## restore the newest backup into a server of its own, compare, and remove it
	$(PLAY) playbooks/restore_drill.yml

restore: .venv/.complete ## replace the database by a backup: CONFIRM=<inventory id>, BACKUP=name, FROM=folder, ACCEPT=loss
	$(PLAY) playbooks/restore.yml -e confirm=$(CONFIRM) $(if $(BACKUP),-e backup=$(BACKUP)) $(if $(FROM),-e '{"from": "$(abspath $(FROM))"}') $(if $(ACCEPT),-e accept=$(ACCEPT))

restore-finish: .venv/.complete ## remove the data that a restore has set aside: CONFIRM=<inventory id>
	$(PLAY) playbooks/restore_finish.yml -e confirm=$(CONFIRM)

backup-secrets: .venv/.complete ## write the secrets into one file, encrypted by age: RECIPIENT=age1...
	$(PLAY) playbooks/backup_secrets.yml $(if $(RECIPIENT),-e recipient=$(RECIPIENT))

uninstall: .venv/.complete ## remove everything but data from the VMs; PURGE=1 CONFIRM=<inventory id>: data too
	$(PLAY) playbooks/uninstall.yml $(if $(PURGE),-e purge=true) $(if $(CONFIRM),-e confirm=$(CONFIRM))

lab: .venv/.complete ## the four-VM lab on this machine, from nothing to the report
	.venv/bin/python lab/doctor
	lab/setup-host
	.venv/bin/python lab/cache
	vagrant up --no-provision
	vagrant provision --provision-with access
	$(SITE)
	.venv/bin/ansible-playbook -i inventory/lab playbooks/wait.yml
	.venv/bin/ansible-playbook -i inventory/lab playbooks/report.yml

lab-down: ## remove the lab; packages and downloads stay
	-vagrant destroy --force
	lab/machine-down quartet-vm1 quartet-vm2 quartet-vm3 quartet-vm4
	lab/setup-host undo
	rm -rf inventory/lab/secrets .lab

drill: .venv/.complete ## kill the broker and a DB consumer in mid-run, then verify (on the lab)
	.venv/bin/pytest tests/drill.py

bench: .venv/.complete ## measure on the lab, all or BENCH=latency (BENCH=--list lists them); KEEP=1 writes it into docs/performance.md
	PYTHONPATH=vm_apps/src .venv/bin/python -m benchmarks $(if $(KEEP),--keep) $(BENCH)

lint: .venv/.complete ## ansible-lint, yamllint, ruff, mypy, shellcheck
	.venv/bin/pytest tests/test_1_lint.py

test-security: .venv/.complete ## what must be refused, tried on the running lab
	.venv/bin/pytest tests/security

test-fast: .venv/.complete ## unit tests: no VM, no root
	lab/promtool > /dev/null
	.venv/bin/pytest -q -n 2 --dist loadfile

test: .venv/.complete ## everything: lint, unit, molecule of every role, the lab end to end, faults, refusals
	.venv/bin/python lab/doctor
	lab/setup-host tests
	.venv/bin/python lab/cache jars
	.venv/bin/pytest --capture=sys --durations=0 --durations-min=5 tests/test_*.py

test-faults: .venv/.complete ## break the running lab on purpose, row by row (docs/faults.md): FAULT=F6 picks one
	KEEP_FAULTS=1 .venv/bin/pytest -s tests/faults $(if $(FAULT),-k $(FAULT)_)

test-kernel: .venv/.complete ## boot one emulated machine, cut its power under load (docs/faults.md, F15); up to 40 minutes, as root
	lab/setup-host kernel
	KEEP_FAULTS=1 .venv/bin/molecule test -s kernel
