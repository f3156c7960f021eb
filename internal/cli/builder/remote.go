package builder

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/builder/workflow"
	"github.com/coco-consortium/coco/internal/cli/terminal"
	"github.com/coco-consortium/coco/internal/problem"
)

// remote speaks with a gateway.
type remote struct {
	data, gateway, token string
	json                 bool
}

func (r *remote) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&r.data, "data", "coco-data", "directory of a development network: its gateway is asked, by its development login")
	f.StringVar(&r.gateway, "gateway", "", "gateway to ask instead, such as https://apps.example.org; needs --token")
	f.StringVar(&r.token, "token", "", "bearer token of an administrator; @FILE reads it from a file")
	f.BoolVar(&r.json, "json", false, "print the answer as JSON")
}

var (
	errGateway = problem.New("GATEWAY_UNREACHABLE", "the gateway does not answer", "start it (coco start), or name another with --gateway")
	errRefused = problem.New("GATEWAY_REFUSED", "the gateway refused", "see the cause")
)

// connect finds out whom to ask, and as whom.
func (r *remote) connect(c *cobra.Command) error {
	if rest, ok := strings.CutPrefix(r.token, "@"); ok {
		text, err := read(rest)
		if err != nil {
			return err
		}
		r.token = strings.TrimSpace(string(text))
	}
	if r.gateway != "" {
		if r.token == "" {
			return terminal.Usage(c, errors.New("--gateway needs --token"))
		}
		r.gateway = strings.TrimSuffix(r.gateway, "/")
		return nil
	}
	dir := directory(r.data)
	issuer, err := identity.LoginIssuer(dir)
	if err != nil {
		return err
	}
	r.gateway = strings.TrimSuffix(issuer, identity.PathIssuer)
	if r.token == "" {
		r.token, err = identity.Mint(dir, identity.MintOptions{Name: "Alice Adler", Administrator: true, TTL: 5 * time.Minute})
	}
	return err
}

// ask sends a request and decodes the answer into result, if that is not nil.
func (r *remote) ask(ctx context.Context, method, path, kind string, body []byte, result any) error {
	q, err := http.NewRequestWithContext(ctx, method, r.gateway+path, bytes.NewReader(body))
	if err != nil {
		return errGateway.From(err)
	}
	q.Header.Set("Authorization", "Bearer "+r.token)
	if kind != "" {
		q.Header.Set("Content-Type", kind)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return errGateway.From(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxFile))
	if err != nil {
		return errGateway.From(err)
	}
	if answer.StatusCode >= 300 {
		return errRefused.From(fmt.Errorf("%s: %s", answer.Status, words(text)))
	}
	if result == nil || len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, result)
}

// finding is what a check found, as the gateway tells it.
type finding struct {
	Severity string `json:"severity"`
	workflow.Finding
}

// words are the sentences of problem details (RFC 9457) or of a report.
func words(text []byte) string {
	var p struct {
		Code, Title, Detail string
		Findings            []finding
	}
	if json.Unmarshal(text, &p) != nil {
		return strings.TrimSpace(string(text))
	}
	lines := []string{strings.Join(strings.Fields(p.Code+" "+p.Title+" "+p.Detail), " ")}
	for _, f := range p.Findings {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n  ")
}

// upload sends files as a form.
func (r *remote) upload(ctx context.Context, path string, files map[string]string, result any) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for field, name := range files {
		content, err := read(name)
		if err != nil {
			return err
		}
		w, err := form.CreateFormFile(field, filepath.Base(name))
		if err != nil {
			return err
		}
		w.Write(content)
	}
	if err := form.Close(); err != nil {
		return err
	}
	return r.ask(ctx, http.MethodPost, path, form.FormDataContentType(), body.Bytes(), result)
}

func deployCommand() *cobra.Command {
	var r remote
	c := &cobra.Command{
		Use:   "deploy CONFIGURATION.json CODE",
		Short: "Deploy an application, or the next version of one",
		Long: `Uploads a configuration and its code: a new application, or the next version of
the one with its name, whose earlier versions become read only. Both are checked
first; nothing is kept of what has errors.`,
		Example: "  coco app deploy loan.json Loan.sol",
		Args:    terminal.Exactly(2),
		RunE: func(c *cobra.Command, args []string) error {
			if err := r.connect(c); err != nil {
				return err
			}
			var checked struct {
				Findings []finding `json:"findings"`
			}
			both := map[string]string{"appFile": args[0], "contractFile": args[1]}
			if err := r.upload(c.Context(), "/api/v2/checkers/checkContractCode?ledgerId=1", both, &checked); err != nil {
				return err
			}
			var report workflow.Report
			for _, f := range checked.Findings {
				if f.Severity == "error" {
					report.Errors = append(report.Errors, f.Finding)
				} else {
					report.Warnings = append(report.Warnings, f.Finding)
				}
			}
			if show(c.ErrOrStderr(), &report); !report.OK() {
				return terminal.Exit(terminal.Invalid)
			}
			var id int
			if err := r.upload(c.Context(), "/api/v2/applications", both, &id); err != nil {
				return err
			}
			if r.json {
				_, err := fmt.Fprintf(c.OutOrStdout(), `{"id":%d,"portal":"%s/applications/%[1]d"}`+"\n", id, r.gateway)
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "deployed as application %d; give people roles at %s/applications/%[1]d/members\n", id, r.gateway)
			return err
		},
	}
	r.flags(c)
	return c
}

// application is what the commands show of one.
type application struct {
	ID          int    `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	Version     string `json:"version"`
	Enabled     bool   `json:"enabled"`
	Created     string `json:"createdDtTm"`
}

func listCommand() *cobra.Command {
	return applications("list", "List the applications", 0, func([]string) string { return "/api/v2/applications?top=100" })
}

func versionsCommand() *cobra.Command {
	return applications("versions APPLICATION-ID", "List the versions of an application", 1,
		func(args []string) string { return "/api/v2/applications/" + args[0] + "/versions" })
}

func applications(use, short string, n int, path func([]string) string) *cobra.Command {
	var r remote
	c := &cobra.Command{Use: use, Short: short, Args: terminal.Exactly(n),
		RunE: func(c *cobra.Command, args []string) error {
			if err := r.connect(c); err != nil {
				return err
			}
			var all struct {
				Applications []application `json:"applications"`
			}
			if err := r.ask(c.Context(), http.MethodGet, path(args), "", nil, &all); err != nil {
				return err
			}
			if r.json {
				return json.NewEncoder(c.OutOrStdout()).Encode(append([]application{}, all.Applications...))
			}
			var rows []string
			for _, a := range all.Applications {
				state := "read only"
				if a.Enabled {
					state = "enabled"
				}
				rows = append(rows, fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%s", a.ID, a.Name, a.Version, state, a.Created, a.DisplayName))
			}
			return table(c.OutOrStdout(), "ID\tNAME\tVERSION\tSTATE\tDEPLOYED\tTITLE", rows)
		}}
	r.flags(c)
	return c
}
