package workflow

import "slices"

// lint warns of what fits together and is most likely not meant: states that
// nothing leads to, transitions that nobody may take, functions that no
// transition names. NextStates and StartState are documentation, so none of it
// is an error.
func (c *checker) lint(w *Workflow, at string) {
	used := map[string]bool{}
	for i := range w.States {
		for j := range w.States[i].Transitions {
			t := &w.States[i].Transitions[j]
			used[t.Function] = true
			if len(t.AllowedRoles)+len(t.AllowedInstanceRoles) == 0 {
				c.warn("TRANSITION_CLOSED", ruleReferences, pointer(at, "States", i, "Transitions", j), "name a role in AllowedRoles or a property in AllowedInstanceRoles, unless only other contracts call the function",
					"nobody may take the transition %s of the state %s: it has neither AllowedRoles nor AllowedInstanceRoles", short(t.Function), short(w.States[i].Name))
			}
		}
	}
	for i := range w.Functions {
		if f := &w.Functions[i]; !used[f.Name] && !f.ReadOnly {
			c.warn("FUNCTION_UNUSED", ruleReferences, pointer(at, "Functions", i), "name it in a transition, or leave it out, unless only other contracts call it",
				"no transition names the function %s, so nobody can use it", short(f.Name))
		}
	}
	reached := c.reached(w)
	for i := range w.States {
		if name := w.States[i].Name; len(reached) > 0 && !reached[name] {
			c.warn("STATE_UNREACHABLE", ruleReferences, pointer(at, "States", i), "name it in the NextStates of the transitions that lead to it, or leave it out",
				"no way of transitions leads from %s to the state %s", short(w.StartState), short(name))
		}
	}
}

// reached are the states that NextStates lead to from StartState, itself among
// them; none if there is no such state.
func (c *checker) reached(w *Workflow) map[string]bool {
	seen := map[string]bool{}
	for ways := []string{w.StartState}; len(ways) > 0; {
		name := ways[0]
		ways = ways[1:]
		i := slices.IndexFunc(w.States, func(s State) bool { return s.Name == name })
		if i < 0 || seen[name] {
			continue
		}
		seen[name] = true
		for _, t := range w.States[i].Transitions {
			ways = append(ways, t.NextStates...)
		}
	}
	return seen
}
