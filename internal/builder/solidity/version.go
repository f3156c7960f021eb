package solidity

import (
	"fmt"
	"regexp"
	"strconv"
)

// Version is a released version of the compiler.
type Version [3]int

// longVersion is what a compiler says of itself, such as
// "0.5.17+commit.d19bba13.Emscripten.clang". Builds between releases have a
// "-nightly" or "-develop" behind the numbers and are no released version.
var longVersion = regexp.MustCompile(`^v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})(\+[0-9A-Za-z.+-]*)?$`)

// ParseVersion reads "0.5.17" and the long form with the commit.
func ParseVersion(text string) (Version, bool) {
	m := longVersion.FindStringSubmatch(text)
	if m == nil {
		return Version{}, false
	}
	var v Version
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1])
	}
	return v, true
}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// Compare is negative if v is older than w.
func (v Version) Compare(w Version) int {
	for i := range v {
		if v[i] != w[i] {
			return v[i] - w[i]
		}
	}
	return 0
}

// series are the last releases that people fetch; an error names the one that
// would fit.
var series = []Version{{0, 8, 37}, {0, 7, 6}, {0, 6, 12}, {0, 5, 17}, {0, 4, 26}}
