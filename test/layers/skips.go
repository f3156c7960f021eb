package main

import "regexp"

// rule explains why certain tests may be skipped. All its patterns must match;
// an empty one matches everything.
type rule struct {
	layers  []Layer // none: all
	pkg     string
	test    string
	message string // what the test printed when it was skipped
	why     string
}

// rules is the whole list. A skip that none of them explains is a failure.
var rules = []rule{
	{layers: []Layer{Fast}, message: `-short|short mode`, why: "long; runs in the layer test"},
	{pkg: `/test/(process|consortium)$`, test: `^TestDiskFull$`, message: `needs root`, why: "only root may mount a small disk; the crash laboratory fills one without"},
}

// explain gives the reason of the first rule that allows a skip, or "".
func explain(layer Layer, pkg, test, message string) string {
	for _, r := range rules {
		if r.allows(layer, pkg, test, message) {
			return r.why
		}
	}
	return ""
}

func (r rule) allows(layer Layer, pkg, test, message string) bool {
	if len(r.layers) > 0 {
		found := false
		for _, l := range r.layers {
			found = found || l == layer
		}
		if !found {
			return false
		}
	}
	return regexp.MustCompile(r.pkg).MatchString(pkg) &&
		regexp.MustCompile(r.test).MatchString(test) &&
		regexp.MustCompile(r.message).MatchString(message)
}
