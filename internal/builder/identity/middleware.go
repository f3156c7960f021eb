package identity

import (
	"crypto/subtle"
	"errors"
	"mime"
	"net/http"
	"time"
)

// Refuse answers a request that a middleware does not let through, with the
// status that fits; nil answers as plain text.
type Refuse func(w http.ResponseWriter, r *http.Request, status int, err error)

// Middleware puts the browser's session into the request's context
// (SessionFrom, From) and keeps it from ending idle. Nobody signed in is no
// error here: pages decide.
//
// Whatever changes something (any method but GET, HEAD, OPTIONS) must come from
// the portal's own pages: by Sec-Fetch-Site or Origin, which browsers set and
// pages cannot, and, when somebody is signed in, by the session's token in the
// field FieldCSRF or the header HeaderCSRF. Forms are parsed here, in memory,
// up to MaxForm bytes; handlers read r.Form, r.MultipartForm. Other bodies are
// bounded by MaxForm too and need the header. What has no browser's session
// (the gateway, the development login) is mounted beside it, not behind it.
func (s *Sessions) Middleware(refused Refuse, next http.Handler) http.Handler {
	if refused == nil {
		refused = func(w http.ResponseWriter, _ *http.Request, status int, err error) {
			p := errForm
			_ = errors.As(err, &p)
			refuse(w, status, p)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session := s.Session(r)
		if session != nil {
			r = r.WithContext(WithSession(r.Context(), session))
		}
		if !safe(r.Method) {
			if err := s.origin.Check(r); err != nil {
				refused(w, r, http.StatusForbidden, errForm.From(err))
				return
			}
			most := s.options.MaxForm
			if session == nil {
				most = strangersForm
			}
			r.Body = http.MaxBytesReader(w, r.Body, most)
			if err := readForm(r, most); err != nil {
				status := http.StatusBadRequest
				if errors.Is(err, errFormSize) {
					status = http.StatusRequestEntityTooLarge
				}
				refused(w, r, status, err)
				return
			}
			if session != nil && !session.holds(r) {
				refused(w, r, http.StatusForbidden, errForm)
				return
			}
		}
		if session != nil {
			if now := s.options.Clock(); now.Sub(session.Seen) >= time.Minute {
				session.Seen = now
				if err := s.write(w, session); err != nil {
					refused(w, r, http.StatusInternalServerError, err)
					return
				}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// strangersForm is how many bytes a form may have that nobody signed in sends.
const strangersForm = 64 << 10

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// holds says whether a request carries the session's token.
func (s *Session) holds(r *http.Request) bool {
	token := r.Header.Get(HeaderCSRF)
	if token == "" {
		token = r.PostForm.Get(FieldCSRF)
	}
	if token == "" && r.MultipartForm != nil && len(r.MultipartForm.Value[FieldCSRF]) > 0 {
		token = r.MultipartForm.Value[FieldCSRF][0]
	}
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.CSRF)) == 1
}

// readForm parses a form, if the body is one.
func readForm(r *http.Request, limit int64) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var err error
	switch kind {
	case "application/x-www-form-urlencoded":
		err = r.ParseForm()
	case "multipart/form-data":
		err = r.ParseMultipartForm(limit + 1<<20) // never to a file: what is uploaded may be secret
	default:
		return nil
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return errFormSize.From(err)
	}
	if err != nil {
		return errFormBad.From(err)
	}
	return nil
}
