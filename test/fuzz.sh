#!/usr/bin/env bash
# Fuzzes every decoder of outside bytes, each for COCO_FUZZ_TIME (2m unless set).
# What it finds is written to the package's testdata/fuzz, to be committed with
# the repair.
set -euo pipefail
cd "$(dirname "$0")/.."

time="${COCO_FUZZ_TIME:-2m}"
count=0
failed=0
for package in $(go list ./cmd/... ./internal/... ./verify/...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		count=$((count + 1))
		echo "$package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" | tail -2 || failed=$((failed + 1))
	done
done
echo "$count fuzz targets, $time each, $failed found something"
[ "$count" -gt 0 ] && [ "$failed" = 0 ]
