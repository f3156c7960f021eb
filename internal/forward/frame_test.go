package forward

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/coco-consortium/coco/internal/problem"
	"github.com/coco-consortium/coco/internal/sequencer"
)

func frames() (requests []message, answers []answer) {
	requests = []message{
		{1, sequencer.Request{Protocol: "ethereum", ID: []byte{1, 2}, Caller: []byte("anonymous"), Trace: "00-1-2-01", Bytes: []byte("body")}},
		{1 << 60, sequencer.Request{Protocol: "p", ID: []byte{9}, Caller: []byte{}, Bytes: []byte{}}},
	}
	long := problem.New("CODE", "what", "next")
	answers = []answer{
		{number: 1, verdict: verdictExecuted, tx: sequencer.TxID{View: 3, Seqno: 1 << 40}},
		{number: 2, verdict: verdictRefused, problem: long},
		{number: 3, verdict: verdictRefused, problem: long.From(errors.New("cause"))},
		{number: 4, verdict: verdictNotCommitted},
	}
	return requests, answers
}

func TestFramesComeBack(t *testing.T) {
	requests, answers := frames()
	var w writer
	var stream bytes.Buffer
	stream.Write(w.numbers(kindHello, 4, 5, 6))
	stream.Write(w.requests(requests))
	stream.Write(w.answers(answers))
	in := bufio.NewReader(&stream)
	_, body, err := readFrame(in, maxFrame)
	if g, err2 := readHello(body); err != nil || err2 != nil || g != (greeting{4, 5, 6}) {
		t.Fatal(g, err, err2)
	}
	k, body, err := readFrame(in, maxFrame)
	if got, err2 := readRequests(body); err != nil || err2 != nil || k != kindRequests || !reflect.DeepEqual(got, requests) {
		t.Fatalf("%+v %v %v", got, err, err2)
	}
	k, body, err = readFrame(in, maxFrame)
	if got, err2 := readAnswers(body); err != nil || err2 != nil || k != kindAnswers || !reflect.DeepEqual(got, answers) {
		t.Fatalf("%+v %v %v", got, err, err2)
	}
	if _, _, err := readFrame(in, maxFrame); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

// FuzzFrames reads anything: without a panic, and what is taken is written the
// same.
func FuzzFrames(f *testing.F) {
	requests, answers := frames()
	var w writer
	f.Add(bytes.Clone(w.requests(requests)))
	f.Add(bytes.Clone(w.answers(answers)))
	f.Add(bytes.Clone(w.numbers(kindHello, 4, 5, 6)))
	f.Add(bytes.Clone(w.numbers(kindNotPrimary, 0)))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 3})
	f.Add([]byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		k, body, err := readFrame(bufio.NewReader(bytes.NewReader(data)), maxFrame)
		if err != nil {
			return
		}
		var w writer
		switch k {
		case kindHello:
			_, _ = readHello(body)
		case kindRequests:
			if list, err := readRequests(body); err == nil {
				if again, err := readRequests(w.requests(list)[5:]); err != nil || !reflect.DeepEqual(again, list) {
					t.Fatalf("%+v came back as %+v, %v", list, again, err)
				}
			}
		case kindAnswers:
			if list, err := readAnswers(body); err == nil {
				if again, err := readAnswers(w.answers(list)[5:]); err != nil || !reflect.DeepEqual(again, list) {
					t.Fatalf("%+v came back as %+v, %v", list, again, err)
				}
			}
		}
	})
}
