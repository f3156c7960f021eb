#!/usr/bin/env bash
# Builds the node twice and compares. The two builds differ in what must not
# matter: the folder of the source and of the result, the build cache (the
# second starts empty), the user's home and the clock.
set -euo pipefail
cd "$(dirname "$0")/.."

temp="$(mktemp -d)"
trap 'chmod -R u+w "$temp"; rm -rf "$temp"' EXIT
modules="$(go env GOMODCACHE)"
tags="${1:-}"

# build SOURCE RESULT [CACHE]
build() {
	(cd "$1" && GOMODCACHE="$modules" GOCACHE="${3:-$(go env GOCACHE)}" GOFLAGS= \
		go build -trimpath -buildvcs=false ${tags:+-tags "$tags"} -o "$2" ./cmd/coco)
}

mkdir -p "$temp/elsewhere/with a longer name" "$temp/home"
other="$temp/elsewhere/with a longer name/source"
mkdir "$other"
git ls-files -z --cached --others --exclude-standard |
	while IFS= read -r -d '' file; do
		if [ -f "$file" ]; then printf '%s\0' "$file"; fi
	done |
	tar --null --files-from=- -cf - | tar -xf - -C "$other"

build "$PWD" "$temp/first"
HOME="$temp/home" build "$other" "$temp/second" "$temp/cache"

first="$(sha256sum <"$temp/first" | cut -d' ' -f1)"
second="$(sha256sum <"$temp/second" | cut -d' ' -f1)"
echo "first   $first"
echo "second  $second"
if [ "$first" != "$second" ]; then
	echo "error: the two builds differ" >&2
	exit 1
fi
echo "the build is reproducible: sha256 $first ($(go env GOVERSION) $(go env GOOS)/$(go env GOARCH))"
