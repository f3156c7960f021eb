package transport

import (
	"context"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"pgregory.net/rapid"
)

// TestQueueIsItsModel compares the queue with a plain slice.
func TestQueueIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count, bytes := rapid.IntRange(1, 6).Draw(t, "count"), rapid.IntRange(1, 40).Draw(t, "bytes")
		keepOldest := rapid.Bool().Draw(t, "keep oldest")
		q, model, next := newQueue(count, bytes, keepOldest), []item(nil), uint64(0)
		sizes := func() (n int) {
			for _, i := range model {
				n += i.size
			}
			return n
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0: // take
				most, want := rapid.IntRange(1, 50).Draw(t, "most"), 0
				for taken := 0; want < len(model) && taken < most; want++ {
					taken += model[want].size
				}
				got := q.take(nil, most)
				if len(got) != want {
					t.Fatalf("%d taken, not %d", len(got), want)
				}
				for at, i := range got {
					if i != model[at] {
						t.Fatalf("%v taken, not %v", i, model[at])
					}
				}
				model = model[want:]
			case 1:
				if got := q.clear(); got != len(model) {
					t.Fatalf("%d cleared, not %d", got, len(model))
				}
				model = nil
			default:
				next++
				i := item{message: vote(1, 2, next), size: rapid.IntRange(1, 50).Draw(t, "size")}
				dropped, refused := 0, false
				for len(model) > 0 && (len(model) >= count || sizes()+i.size > bytes) {
					if dropped++; keepOldest {
						refused = true
						break
					}
					model = model[1:]
				}
				if !refused {
					model = append(model, i)
				}
				if got := q.put(i); got != dropped {
					t.Fatalf("%d dropped, not %d", got, dropped)
				}
			}
			if n, size := q.length(); n != len(model) || size != sizes() {
				t.Fatalf("%d of %d bytes, not %d of %d", n, size, len(model), sizes())
			}
		}
	})
}

// TestQueueKeepsItsMemory puts and takes for long without growing.
func TestQueueKeepsItsMemory(t *testing.T) {
	q := newQueue(10, 1<<20, true)
	for i := range 10_000 {
		q.put(item{message: vote(1, 2, uint64(i)), size: 1})
		if i%3 > 0 {
			q.take(nil, 1)
		}
	}
	if cap(q.items) > 64 {
		t.Errorf("room for %d", cap(q.items))
	}
}

func TestSizeOfIsNotLessThanTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &raftpb.Message{Type: raftpb.MsgApp.Enum(), From: new(rapid.Uint64().Draw(t, "from")), To: new(rapid.Uint64().Draw(t, "to")),
			Term: new(rapid.Uint64().Draw(t, "term")), Index: new(rapid.Uint64().Draw(t, "index")), LogTerm: new(rapid.Uint64().Draw(t, "log term")),
			Context: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "context")}
		for range rapid.IntRange(0, 5).Draw(t, "entries") {
			m.Entries = append(m.Entries, &raftpb.Entry{Type: raftpb.EntryNormal.Enum(), Term: new(rapid.Uint64().Draw(t, "term")),
				Index: new(rapid.Uint64().Draw(t, "index")), Data: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")})
		}
		frame, err := appendMessage(nil, m, 1<<20)
		if err != nil || sizeOf(m)+frameHead < len(frame) {
			t.Fatalf("%d bytes are taken for %d, %v", len(frame), sizeOf(m), err)
		}
	})
}

func TestBackoffGrowsToItsMost(t *testing.T) {
	b := backoff{least: time.Microsecond, most: 10 * time.Microsecond}
	for range 10 {
		b.sleep(t.Context(), nil)
	}
	if b.next != 20*time.Microsecond {
		t.Errorf("the next pause is %v", b.next)
	}
	b.reset()
	b.sleep(t.Context(), nil)
	if b.next != 2*time.Microsecond {
		t.Errorf("after a reset it is %v", b.next)
	}
	long := backoff{least: time.Hour, most: time.Hour}
	nudge := make(chan struct{}, 1)
	nudge <- struct{}{}
	if !long.sleep(t.Context(), nudge) {
		t.Error("a nudge ends the wait for good")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if long.sleep(ctx, nil) {
		t.Error("it goes on after its end")
	}
}
