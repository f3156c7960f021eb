package gateway

import (
	"reflect"
	"testing"

	"github.com/coco-consortium/coco/internal/builder/workflow"
)

func TestInputIsReadInAnyCase(t *testing.T) {
	for _, body := range []string{
		`{"workflowFunctionID":12,"workflowActionParameters":[{"name":"a","value":"1"}]}`,
		`{"WorkflowFunctionId":"12","workflowactionparameters":[{"Name":"a","VALUE":1}]}`,
		"\xef\xbb\xbf" + ` { "workflowFunctionId" : 12 , "x":{"y":[]}, "workflowActionParameters" : [ { "name":"a", "value":"1", "more":{} } ] } `,
	} {
		f, err := takeApart([]byte(body))
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		id, err := f.integer("workflowFunctionID")
		if err != nil || id != 12 {
			t.Errorf("%s: function %d, %v", body, id, err)
		}
		args, err := f.arguments("workflowActionParameters")
		if want := []workflow.Argument{{Name: "a", Value: "1"}}; err != nil || !reflect.DeepEqual(args, want) {
			t.Errorf("%s: %v, %v", body, args, err)
		}
	}
}

func TestValuesKeepEveryDigit(t *testing.T) {
	for raw, want := range map[string]string{
		`"text"`: "text", `9007199254740993`: "9007199254740993", `true`: "true", `[1, 2 ,3]`: "[1,2,3]", `-5`: "-5",
		`115792089237316195423570985008687907853269984665640564039457584007913129639936`: "115792089237316195423570985008687907853269984665640564039457584007913129639936",
	} {
		if got, err := value([]byte(raw)); err != nil || got != want {
			t.Errorf("%s is %q, %v", raw, got, err)
		}
	}
}

func TestMalformedInput(t *testing.T) {
	for _, body := range []string{
		``, `[]`, `null`, `7`, `{`, `{"a":1,}`, `{"a":1}{}`, `{"a":1,"A":2}`, `{"workflowFunctionID":1,"workflowFunctionId":1}`,
		`{"workflowFunctionID":1.5}`, `{"workflowFunctionID":{}}`, `{"workflowFunctionID":"x"}`, `{"workflowFunctionID":99999999999999999999}`,
		`{"workflowFunctionID":1,"workflowActionParameters":{}}`, `{"workflowFunctionID":1,"workflowActionParameters":[1]}`,
		`{"workflowFunctionID":1,"workflowActionParameters":[{"value":"1"}]}`, `{"workflowFunctionID":1,"workflowActionParameters":[{"name":"a","value":{}}]}`,
		`{"workflowFunctionID":1,"workflowActionParameters":[{"name":7,"value":"1"}]}`,
		`{"workflowFunctionID":1,"workflowActionParameters":[null]}`,
	} {
		f, err := takeApart([]byte(body))
		if err == nil {
			_, err = f.integer("workflowFunctionID")
		}
		if err == nil {
			_, err = f.arguments("workflowActionParameters")
		}
		if err == nil {
			t.Errorf("%s was accepted", body)
		}
	}
}

// FuzzBody wants an error or a value for any bytes, never a panic.
func FuzzBody(f *testing.F) {
	f.Add([]byte(`{"workflowFunctionID":12,"workflowActionParameters":[{"name":"a","value":[1,"x",null]}]}`))
	f.Add([]byte(`{"userId":1,"applicationRoleId":"2","externalID":"\u0000"}`))
	f.Add([]byte(`{"a":[[[[[[[[`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := takeApart(data)
		if err != nil {
			return
		}
		_, _ = o.integer("workflowFunctionID")
		_, _ = o.text("externalID")
		args, err := o.arguments("workflowActionParameters")
		if err == nil && len(args) > maxParameters {
			t.Errorf("%d parameters", len(args))
		}
	})
}
