package simulation

import (
	"container/heap"
	"time"
)

// event is something that happens at a moment of simulated time. Events of one
// moment happen in the order in which they were planned.
type event struct {
	at    time.Duration
	order uint64
	do    func()
}

// schedule is the events to come.
type schedule struct {
	now   time.Duration
	order uint64
	queue events
}

// after plans an event.
func (s *schedule) after(wait time.Duration, do func()) {
	s.order++
	heap.Push(&s.queue, event{s.now + max(wait, 0), s.order, do})
}

// step lets the next event happen.
func (s *schedule) step() bool {
	if len(s.queue) == 0 {
		return false
	}
	e := heap.Pop(&s.queue).(event)
	s.now = e.at
	e.do()
	return true
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	(*e)[len(*e)-1] = event{}
	*e = (*e)[:len(*e)-1]
	return last
}
