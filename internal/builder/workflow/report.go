package workflow

import "fmt"

// Finding is one thing that is wrong, or looks so, with its place, its rule and
// what to do. Line and Column count from 1 and columns are characters; they are
// 0 where no file is known. Pointer (RFC 6901) is into the configuration.
type Finding struct {
	Code    string `json:"code"` // stable, such as ROLE_UNKNOWN
	Rule    string `json:"rule"` // of docs/reference/application.md, such as a.7.3
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Pointer string `json:"pointer"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
}

// String is the finding on one line, as compilers write them.
func (f Finding) String() string {
	s := f.File
	if f.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d", s, f.Line, f.Column)
	}
	return fmt.Sprintf("%s: %s: %s (%s)", s, f.Code, f.Message, f.Rule)
}

// mostFindings bounds a report: after so many errors, the first ones are what to mend.
const mostFindings = 200

// Report is what a check found, in the order of the file.
type Report struct {
	Errors   []Finding `json:"errors"`
	Warnings []Finding `json:"warnings"`
}

// newReport is an empty one, whose lists are written as lists.
func newReport() *Report { return &Report{Errors: []Finding{}, Warnings: []Finding{}} }

// OK is that nothing was found that forbids the upload.
func (r *Report) OK() bool { return len(r.Errors) == 0 }

// Add appends what another check found.
func (r *Report) Add(o *Report) {
	for _, f := range o.Errors {
		r.fail(f)
	}
	for _, f := range o.Warnings {
		r.warn(f)
	}
}

// Has is that there is an error or a warning with this code.
func (r *Report) Has(code string) bool {
	for _, list := range [][]Finding{r.Errors, r.Warnings} {
		for _, f := range list {
			if f.Code == code {
				return true
			}
		}
	}
	return false
}

func (r *Report) fail(f Finding) {
	if len(r.Errors) < mostFindings {
		r.Errors = append(r.Errors, f)
	}
}

func (r *Report) warn(f Finding) {
	if len(r.Warnings) < mostFindings {
		r.Warnings = append(r.Warnings, f)
	}
}
