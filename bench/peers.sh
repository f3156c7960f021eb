#!/bin/sh
# peers.sh [DIR [PEER]] builds a peer that the figures are compared with, geth or
# etcd, from its own published source at the version named here or in
# bench/etcd/go.mod, into DIR (./bin). Prints the path of the program.
set -eu
cd "$(dirname "$0")/.."
bin=$(mkdir -p "${1:-bin}" && cd "${1:-bin}" && pwd)

GETH=v1.17.8

case "${2:-geth}" in
geth)
	if ! "$bin/geth" version 2>/dev/null | grep -q "^Version: ${GETH#v}"; then
		echo "building geth $GETH (about two minutes) ..." >&2
		GOBIN=$bin go install "github.com/ethereum/go-ethereum/cmd/geth@$GETH"
	fi
	echo "$bin/geth"
	;;
etcd)
	echo "building etcd (about a minute) ..." >&2
	(cd bench/etcd && go build -o "$bin/etcd" .)
	echo "$bin/etcd"
	;;
*)
	echo "peers are geth and etcd" >&2
	exit 2
	;;
esac
