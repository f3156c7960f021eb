package verify

import (
	"context"
	"testing"
	"testing/fstest"
)

func check1(t testing.TB, dir fstest.MapFS, o Options) *Report {
	t.Helper()
	r, err := Ledger(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestShort(t *testing.T) {
	a := short(t, "one")
	r := check1(t, a.files(), Options{AllowSimulated: true})
	t.Logf("%+v", r)
	t.Logf("%+v", r.Head)
	n := 0
	for _, f := range a.files() {
		n += len(f.Data)
	}
	t.Log(n)
}
