package page

import (
	"time"

	"github.com/coco-consortium/coco/internal/builder/choice"
)

// Frame is what every page has around its content.
type Frame struct {
	Title   string // of the page, and its first heading
	Section string // of the navigation: applications, people, ledger or design
	Crumbs  []Link // the way to this page, without itself
	Viewer  *Viewer
	CSRF    string // of the session, in every form that changes something
	Path    string // of this page, with its query
	Events  string // URL of the stream of what changes on this page; "": nothing does
	Since   string // state that the page shows: the stream tells what came between
	Notice  *Notice
	Wrong   []Wrong // what was not right in the form that was sent

	// of the request; Draw sets them
	Lang, Theme string
	Languages   []choice.Language
	Now         time.Time
}

func (f *Frame) frame() *Frame { return f }

// Page is what Draw draws: a struct that begins with a Frame.
type Page interface{ frame() *Frame }

// Link is a text with an address.
type Link struct{ Text, URL string }

// Viewer is who looks at the page.
type Viewer struct {
	Name, Email   string
	Administrator bool
	SignOut       string // where the form that signs out goes
}

// Notice is a sentence above the content: Tone is good, bad, wait, busy or calm.
type Notice struct {
	Tone, Title, Text string
	Link              *Link
	Lang              string // of Text, when it is not the page's
}

// Wrong is one thing that was not right, with the field that it belongs to. Lang is
// the text's language when it is not the page's.
type Wrong struct{ Field, Text, Lang string }

// Tag is a short word with a tone; Sign names its icon, "" is the tone's own.
type Tag struct{ Tone, Sign, Text string }

// Face is a person, a service or an account that nobody is known for.
type Face struct {
	Name    string // "" is an account of nobody known
	Address string // 0x..., "" when it says nothing more
	You     bool
}

// State is where a contract is in its workflow.
type State struct {
	Text    string
	Percent int
	Tone    string // good: done; bad: a failure; busy: on its way
}

// Value is a value of a contract, ready to be read.
type Value struct {
	Kind  string // text, number, hex, face, when, ago, state, list, pairs, link, code, tag
	Text  string
	Hex   string // address in full
	URL   string
	At    time.Time
	Face  *Face
	State *State
	List  []string
	Pairs []Pair
	Tag   *Tag
}

// Pair is a name and a value.
type Pair struct {
	Name  string
	Hint  string
	Value Value
}

// Pager is where a page of a list is in the whole.
type Pager struct {
	From, To, Total int
	AtLeast         bool   // Total is a lower bound
	Previous, Next  string // URL, "": there is none
}

// Option is a choice in a list.
type Option struct {
	Value, Text string
	Chosen      bool
	Hint        string
}

// Group is several of them under a name.
type Group struct {
	Text    string
	Options []Option
}

// Field is a control of a form with its label, hint and error.
type Field struct {
	ID, Name, Label, Hint, Error string
	Kind                         string // text, long, number, date, yesno, radios, select, file
	Value                        string
	Options                      []Option
	Groups                       []Group // after Options
	Accept                       string  // of a file
	Required                     bool
	Bare                         bool // may be empty, and that is nothing special: not called optional
	Limit                        int  // characters; 0: none
	Autocomplete                 string
	Lang                         string // of Error, when it is not the page's
}
