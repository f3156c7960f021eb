package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// request is one JSON-RPC 2.0 call.
type request struct {
	Version string `json:"jsonrpc"`
	ID      int    `json:"id"`
	Method  string `json:"method"`
	Params  []any  `json:"params"`
}

// answer is one JSON-RPC 2.0 answer.
type answer struct {
	ID     *int            `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *rpcError       `json:"error"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *rpcError) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Message) }

var numbers = regexp.MustCompile(`0x[0-9a-fA-F]+|[0-9]+`)

// kind is the error without what differs from transaction to transaction.
func (e *rpcError) kind() string {
	message, _, _ := strings.Cut(e.Message, ": ")
	return strconv.Itoa(e.Code) + " " + numbers.ReplaceAllString(message, "#")
}

// call asks one method over a connection that takes plain requests.
func call(c conn, result any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(request{"2.0", 1, method, params})
	if err != nil {
		return err
	}
	raw, err := c.send(body)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if a.Error != nil {
		return fmt.Errorf("%s: %w", method, a.Error)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// callMany, likewise, asks one method once for each of params, in one batch. One
// answer that is an error is an error.
func callMany(c conn, method string, params [][]any) ([]json.RawMessage, error) {
	requests := make([]request, len(params))
	for i, p := range params {
		requests[i] = request{"2.0", i, method, p}
	}
	body, err := json.Marshal(requests)
	if err != nil {
		return nil, err
	}
	raw, err := c.send(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	answers, err := parseAnswers(raw, len(params))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	results := make([]json.RawMessage, len(answers))
	for i, a := range answers {
		if a.Error != nil {
			return nil, fmt.Errorf("%s: %w", method, a.Error)
		}
		results[i] = a.Result
	}
	return results, nil
}

// parseAnswers gives the answers to n requests with the ids 0 to n-1, in order.
func parseAnswers(raw []byte, n int) ([]answer, error) {
	var got []answer
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); len(trimmed) > 0 && trimmed[0] != '[' {
		got = make([]answer, 1)
		if err := json.Unmarshal(raw, &got[0]); err != nil {
			return nil, err
		}
		if got[0].Error != nil && n > 1 {
			return nil, got[0].Error // the batch as a whole was refused
		}
	} else if err := json.Unmarshal(raw, &got); err != nil {
		return nil, err
	}
	answers, seen := make([]answer, n), 0
	for _, a := range got {
		if a.ID == nil || *a.ID < 0 || *a.ID >= n || answers[*a.ID].ID != nil {
			if a.Error != nil {
				return nil, a.Error
			}
			return nil, fmt.Errorf("an answer has no id of a request")
		}
		answers[*a.ID] = a
		seen++
	}
	if seen != n {
		return nil, fmt.Errorf("%d answers to %d requests", seen, n)
	}
	return answers, nil
}
