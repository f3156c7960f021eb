//go:build nextformat

package format

// Level 1 of this build is no format of coco's. It exists so that tests can run a
// build beside one that does not read all that it writes, in one network, and
// raise the level of that network; no network outside of tests may ever have it,
// and a level 1 that is declared one day replaces it. It is level 0, but numbers
// itself 1 in headers, preludes and manifests, and its headers have a fifteenth
// field, the text "trial", which decoders of level 0 refuse.

// Highest is the highest format level that this build reads, and so the highest
// that a network may have of which its nodes are a part.
const Highest = 1

// trailers are the encoded fields that a header has in a level behind those of
// level 0.
var trailers = [Highest + 1][]byte{1: Encode("trial")}
