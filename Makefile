# Short names for what contributors type (package.json has the commands), and for what an administrator of PacketCaptureConfigs
# types. Another cluster: make status KUBECTL="kubectl --context dev"
KUBECTL ?= kubectl
NAMESPACE ?= selcap-system
OVERLAY := daemonset/overlays/packetcaptureconfig

.DEFAULT_GOAL := help
.PHONY: help setup unit test lint types bench fuzz endure check format demo deploy status logs-controller logs-agent restart destroy

help: ## Show all commands
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## Install what is missing, and build
	npm run setup

unit: ## Run the fast tests
	npm run test:unit

test: ## Run all tests
	npm test

lint: ## Check the format and the rules of Biome
	npm run lint

types: ## Check the types
	npm run types

bench: ## Run all benches, on a quiet machine as root
	npm run bench

fuzz: ## Put changed bytes to every parser, for FUZZ_SECONDS (30)
	npm run fuzz

endure: ## Cause faults for ten minutes, and look for every packet after each; as root
	npm run endure

check: ## Run what continuous integration runs
	npm run check

format: ## Format and lint, with fixes
	npm run format

demo: ## Capture real traffic in network namespaces
	npm run demo

deploy: ## Install selcap with PacketCaptureConfig, or bring it up to date
	$(KUBECTL) apply -k $(OVERLAY)

status: ## Show what runs, and all captures
	$(KUBECTL) get daemonset,deployment,pods -n $(NAMESPACE)
	$(KUBECTL) get packetcaptureconfigs

logs-controller: ## Follow the controllers' log
	$(KUBECTL) logs -f -n $(NAMESPACE) -l app.kubernetes.io/name=selcap-controller --prefix --tail 100

logs-agent: ## Follow the agents' log, with the packets of stdout captures
	$(KUBECTL) logs -f -n $(NAMESPACE) -l app.kubernetes.io/name=selcap-agent --prefix --tail 100 --max-log-requests 100

restart: ## Restart agents and controllers; captures go on
	$(KUBECTL) rollout restart -n $(NAMESPACE) daemonset/selcap-agent deployment/selcap-controller

destroy: ## Remove selcap with all captures
	$(KUBECTL) delete -k $(OVERLAY) --ignore-not-found
