# Every target is one script or one go command, so that none of it needs make.

.DEFAULT_GOAL := help
.PHONY: help start build fast test full contracts reproducible

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

start: ## start a development network in ./coco-data
	go run -v ./cmd/coco start

build: ## build bin/coco, reproducibly
	go build -trimpath -buildvcs=false -o bin/coco ./cmd/coco

fast: ## format, vet, staticcheck, arrows, unit tests (under 3 minutes warm)
	./test/run fast

test: ## what every change must pass (under 35 minutes with cold caches)
	./test/run test

full: ## everything, hours: long fuzzing, 10 million slots, race on all rooms
	./test/run full

contracts: ## compile test/contracts again
	npm --prefix test/contracts ci --ignore-scripts
	node test/contracts/compile.mjs

reproducible: ## build twice in different folders and compare
	./test/reproducible.sh
