package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/spf13/cobra"

	"github.com/coco-consortium/coco/internal/cli/contract"
	"github.com/coco-consortium/coco/internal/problem"
)

// Problems of a node that is asked something.
var (
	errNode = problem.New("NODE_UNREACHABLE", "no node answers there",
		"start one with coco start, or name the address of one that runs with --rpc")
	errRefused = problem.New("NODE_REFUSED", "the node refused the request",
		"see the cause")
	errForeign = problem.New("NODE_FOREIGN", "what answers there is no node of coco, or an older one",
		"name the address of a node of coco with --rpc")
	errAnswer = problem.New("NODE_ANSWER", "the node's answer cannot be used",
		"check that --rpc names a node of coco and nothing between changes its answers")
)

const (
	answerTime = 30 * time.Second
	maxAnswer  = 32 << 20 // bytes; a node's own limit is below
)

// remote is the address of a node that answers JSON-RPC, as a flag.
type remote struct{ url string }

// rpcFlag adds --rpc to a command.
func rpcFlag(c *cobra.Command) *remote {
	r := &remote{"http://127.0.0.1:8545"}
	c.Flags().Var(r, "rpc", "address of the node's JSON-RPC")
	return r
}

// String and Type implement pflag.Value.
func (r *remote) String() string { return r.url }
func (r *remote) Type() string   { return "URL" }

// Set takes an http or https address, or HOST:PORT.
func (r *remote) Set(text string) error {
	if !strings.Contains(text, "://") {
		if _, port, err := net.SplitHostPort(text); err != nil || port == "" {
			return errors.New("give the node's address like http://127.0.0.1:8545, or as HOST:PORT")
		}
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return errors.New("give the node's address with http or https, like http://127.0.0.1:8545")
	}
	r.url = text
	return nil
}

// refusal is an error as a node answers it (JSON-RPC 2.0 section 5.1).
type refusal struct {
	Code    int
	Message string
	Data    json.RawMessage
}

func (r *refusal) Error() string { return contract.Printable(r.Message) }

// reverted gives what a contract reverted with, if that is what the error says.
func (r *refusal) reverted() ([]byte, bool) {
	var data hexutil.Bytes
	if r.Code != 3 || json.Unmarshal(r.Data, &data) != nil {
		return nil, false
	}
	return data, true
}

// codeForm is the form of a problem's code. A node's word is not believed to have it.
var codeForm = regexp.MustCompile(`^[A-Z][A-Z_]{1,40}$`)

// problem is what a person sees of the refusal: the node's own code and next
// step where it gave some.
func (r *refusal) problem() error {
	var said struct{ Code, Next string }
	switch {
	case r.Code == -32601: // there is no such method
		return errForeign.From(r)
	case json.Unmarshal(r.Data, &said) == nil && codeForm.MatchString(said.Code):
		return problem.New(problem.Code(said.Code), r.Error(), contract.Printable(said.Next))
	}
	return errRefused.From(r)
}

// ask makes one JSON-RPC request and decodes its result. A refusal can be found
// in the error with errors.As unless it was a problem of the node's.
func (r *remote) ask(ctx context.Context, result any, method string, params ...any) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return errNode.From(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return errNode.From(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return errNode.From(err)
	}
	var answer struct {
		Result json.RawMessage
		Error  *refusal
	}
	if len(data) > maxAnswer {
		return errAnswer.From(fmt.Errorf("it is longer than %d bytes", maxAnswer))
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		line, _, _ := strings.Cut(string(data[:min(len(data), 200)]), "\n")
		return errAnswer.From(fmt.Errorf("%s: not a JSON-RPC answer: %s", response.Status, contract.Printable(line)))
	}
	if answer.Error != nil {
		return answer.Error.problem()
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return errAnswer.From(fmt.Errorf("%s: %w", method, err))
	}
	return nil
}
