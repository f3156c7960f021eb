#!/bin/sh
# Builds the peers that the figures are compared with, each from its own
# published source at the version named here, into ./bin (or the directory
# given). Prints the path of each program.
set -eu
cd "$(dirname "$0")/.."
bin=$(mkdir -p "${1:-bin}" && cd "${1:-bin}" && pwd)

GETH=v1.17.8

if ! "$bin/geth" version 2>/dev/null | grep -q "^Version: ${GETH#v}"; then
	echo "building geth $GETH (about two minutes) ..." >&2
	GOBIN=$bin go install "github.com/ethereum/go-ethereum/cmd/geth@$GETH"
fi
echo "$bin/geth"
