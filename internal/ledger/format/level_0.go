//go:build !nextformat

package format

// Highest is the highest format level that this build reads, and so the highest
// that a network may have of which its nodes are a part.
const Highest = 0

// trailers are the encoded fields that a header has in a level behind those of
// level 0.
var trailers = [Highest + 1][]byte{}
