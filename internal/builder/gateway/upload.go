package gateway

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/coco-consortium/coco/internal/problem"
)

// maxFileParts is how many parts a multipart body may have; more than two mean
// nothing.
const maxFileParts = 8

var errCrowded = problem.New("UPLOADS_BUSY", "too many uploads or large requests are being read", "Try again in a moment")

// file is an uploaded file: the name that the client gave it, without folders,
// and its bytes.
type file struct {
	name string
	data []byte
}

// files reads the files of a multipart/form-data body (RFC 7578) by the names of
// their parts. What else is in the body is passed over. The call keeps its place
// among the uploads until it ends.
func (c *call) files(names ...string) (map[string]file, error) {
	if err := c.enter(c.g.uploads); err != nil {
		return nil, err
	}
	most := c.g.FileBytes*int64(len(names)) + 64<<10
	if c.r.ContentLength > most {
		return nil, errLarge
	}
	kind, more, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || more["boundary"] == "" {
		return nil, malformed("the body is not multipart/form-data with the files " + strings.Join(names, " and "))
	}
	end := ending{r: http.MaxBytesReader(c.w, c.r.Body, most), mark: []byte("--" + more["boundary"] + "--")}
	body := multipart.NewReader(&end, more["boundary"])
	found := map[string]file{}
	for count := 0; ; count++ {
		part, err := body.NextPart()
		if err == io.EOF && end.seen {
			return found, nil
		}
		if err != nil {
			return nil, readError(err)
		}
		if count == maxFileParts {
			return nil, malformed("the body has more than " + strconv.Itoa(maxFileParts) + " parts")
		}
		if err := c.readPart(part, names, found); err != nil {
			return nil, err
		}
	}
}

// ending watches for the mark that ends a multipart body: a body that was cut off
// between two parts looks whole otherwise.
type ending struct {
	r    io.Reader
	mark []byte
	tail []byte // of what was read
	seen bool
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if !e.seen {
		e.tail = append(e.tail, p[:n]...)
		e.seen = bytes.Contains(e.tail, e.mark)
		if keep := len(e.mark) - 1; len(e.tail) > keep {
			e.tail = append(e.tail[:0], e.tail[len(e.tail)-keep:]...)
		}
	}
	return n, err
}

// firstFile is how the clients that Workbench's makers generated for Java and
// Python call the first file that an operation takes.
const firstFile = "file"

// readPart reads one part if it is one of the wanted.
func (c *call) readPart(part *multipart.Part, names []string, found map[string]file) error {
	defer part.Close()
	for i, name := range names {
		if called := part.FormName(); !strings.EqualFold(called, name) && (i > 0 || called != firstFile) {
			continue
		}
		if _, twice := found[name]; twice {
			return malformed("the body has the file " + name + " twice")
		}
		data, err := io.ReadAll(io.LimitReader(part, c.g.FileBytes+1))
		if err != nil {
			return readError(err)
		}
		if int64(len(data)) > c.g.FileBytes {
			return errLarge
		}
		found[name] = file{name: part.FileName(), data: data}
	}
	return nil
}

// need is a file that must be there and have a byte at least.
func need(found map[string]file, name string) (file, error) {
	f, ok := found[name]
	if !ok {
		return f, malformed("the body has no file " + name)
	}
	if len(f.data) == 0 {
		return f, malformed("the file " + name + " is empty")
	}
	if f.name == "" {
		f.name = name
	}
	return f, nil
}
