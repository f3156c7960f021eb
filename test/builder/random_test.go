package builder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coco-consortium/coco/internal/builder/ledger/ledgertest"
	"github.com/coco-consortium/coco/internal/builder/offchain/postgrestest"
	"github.com/coco-consortium/coco/test/binary"
	"github.com/coco-consortium/coco/test/npm"
)

// random are the variables that say which applications are walked: how many of
// new seeds, or those of these seeds, with commas between them.
const (
	randomCount = "COCO_APPLICATIONS"
	randomSeeds = "COCO_APPLICATION_SEEDS"
)

// compilers has builds of the Solidity compiler added to the folder that the
// tests of compilers use, and gives it.
func compilers(t testing.TB, versions ...string) string {
	t.Helper()
	folder, err := filepath.Abs("../compilers")
	if err != nil {
		t.Fatal(err)
	}
	npm.Install(t, folder)
	dir := filepath.Join(folder, "node_modules", ".coco")
	for _, v := range versions {
		if _, err := os.Stat(filepath.Join(dir, v)); err == nil {
			continue
		}
		if out, err := exec.CommandContext(t.Context(), binary.Path(), "compiler", "add", "--compilers", dir, filepath.Join(folder, "node_modules", "solc-"+v)).CombinedOutput(); err != nil {
			t.Fatalf("adding %s: %v %s", v, err, out)
		}
	}
	return dir
}

// TestRandomApplications makes applications by chance and walks their transitions
// as everybody. It says its seeds; the same seed makes the same application.
func TestRandomApplications(t *testing.T) {
	versions := map[int]string{5: "0.5.17", 8: "0.8.37"}
	var seeds []uint64
	for _, s := range strings.FieldsFunc(os.Getenv(randomSeeds), func(r rune) bool { return r == ',' }) {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, n)
	}
	if len(seeds) == 0 {
		count := 2
		if s := os.Getenv(randomCount); s != "" {
			var err error
			if count, err = strconv.Atoi(s); err != nil {
				t.Fatal(err)
			}
		}
		for n := range uint64(count) { // the last digit chooses the compiler
			seeds = append(seeds, rand.Uint64N(1e8)*10+n%5)
		}
	}
	of := func(seed uint64) int { return []int{8, 5, 4, 6, 7}[seed%10%5] }
	for _, s := range seeds {
		v := of(s)
		versions[v] = map[int]string{4: "0.4.26", 5: "0.5.17", 6: "0.6.12", 7: "0.7.6", 8: "0.8.37"}[v]
	}
	var list []string
	for _, v := range versions {
		list = append(list, v)
	}
	dsn := postgrestest.DSN(t)
	n, _ := newCoco(t)
	b := newAlone(t, connectionOf(n)+"db: "+dsn+"\ncompilers: "+compilers(t, list...)+"\n")
	people := []*someone{{name: alice}, {name: "Rana None"}, {name: "Ron One"}, {name: "Rita Two"}, {name: "Rex Three"}, {name: "Rose Many"}}
	var addresses []string
	for _, who := range people {
		if who.name != alice {
			b.token(who.name)
		}
		var me struct {
			CurrentUser struct {
				UserID            int
				UserChainMappings []struct{ ChainIdentifier string }
			}
		}
		ledgertest.Eventually(t, who.name+" has an account", func() bool {
			b.read(who.name, "/api/v2/users/me", &me)
			return len(me.CurrentUser.UserChainMappings) > 0
		})
		who.id, who.address = me.CurrentUser.UserID, strings.ToLower(me.CurrentUser.UserChainMappings[0].ChainIdentifier)
		addresses = append(addresses, who.address)
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			began := time.Now()
			a := newApplication(seed, of(seed), addresses)
			w := &walk{application: a, t: t, b: b.installation, dsn: dsn, people: people, flows: map[*flow]*ids{}, tried: map[string]bool{}}
			w.deploy()
			w.all()
			w.views()
			w.end()
			t.Logf("solidity 0.%d, %d workflows, %d contracts, %d steps, %d refused, %s; again: %s=%d", a.version, len(a.workflows), len(w.instances), w.taken, w.not,
				time.Since(began).Round(time.Millisecond), randomSeeds, seed)
		})
	}
}

// deploy uploads the application and gives people their roles.
func (w *walk) deploy() {
	w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	configuration, code := w.configuration(), w.code()
	for _, f := range []struct {
		field, name string
		content     []byte
	}{{"appFile", "a.json", configuration}, {"contractFile", "a.sol", code}} {
		part, err := form.CreateFormFile(f.field, f.name)
		if err != nil {
			w.t.Fatal(err)
		}
		part.Write(f.content)
	}
	form.Close()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.b.place.Gateway+"/api/v2/applications", &body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+w.b.tokens[alice])
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	text.ReadFrom(answer.Body)
	if answer.StatusCode != http.StatusOK || json.Unmarshal(text.Bytes(), &w.id) != nil {
		w.t.Fatalf("the application: %d %s\n%s\n%s", answer.StatusCode, text.Bytes(), code, configuration)
	}
	var app struct {
		ApplicationRoles []struct {
			ID   int
			Name string
		}
	}
	w.b.read(alice, fmt.Sprintf("/api/v2/applications/%d", w.id), &app)
	for k, who := range w.people {
		who.roles, who.sees = nil, who.name == alice
		for j, role := range app.ApplicationRoles {
			if k-2 == j || k == 5 && w.chance(60) {
				who.roles, who.sees = append(who.roles, role.Name), true
				w.b.post(alice, fmt.Sprintf("/api/v2/applications/%d/roleAssignments", w.id), map[string]int{"userId": who.id, "applicationRoleId": role.ID})
			}
		}
	}
	for _, f := range w.workflows {
		x := &ids{}
		x.id, x.constructor, x.functions, x.properties = w.b.names(alice, w.name, f.name)
		w.flows[f] = x
	}
}

// all walks: everybody makes what contracts they may, and takes what steps they
// may, until nothing is left that was not tried, or enough was.
func (w *walk) all() {
	w.t.Helper()
	for _, f := range w.workflows {
		for _, who := range w.people {
			w.create(f, who)
		}
	}
	for steps, idle := 0, 0; steps < 80 && idle < 20 && len(w.instances) > 0; steps++ {
		i := w.instances[w.IntN(len(w.instances))]
		before := len(w.tried)
		w.look(i)
		if !w.step(i) {
			f := w.workflows[w.IntN(len(w.workflows))]
			w.create(f, w.people[w.IntN(len(w.people))])
		}
		if idle++; len(w.tried) > before {
			idle = 0
		}
	}
}

// views holds the database's views against what must be.
func (w *walk) views() {
	w.t.Helper()
	var values, states, actions []string
	for _, i := range w.instances {
		for name, value := range i.shown() {
			values = append(values, fmt.Sprintf("[%d %s %s]", i.id, name, value))
		}
		if !i.flow.stateless {
			name := "<nil>"
			if slices.ContainsFunc(i.flow.states, func(s *state) bool { return s.name == i.state }) {
				name = i.state
			}
			states = append(states, fmt.Sprintf("[%d %s]", i.id, name))
		}
		actions = append(actions, fmt.Sprintf("[%d %d]", i.id, i.actions))
	}
	for statement, want := range map[string][]string{
		`SELECT "ContractId", "WorkflowPropertyName", "ContractPropertyValue" FROM "vwContractProperty" WHERE "ApplicationId" = %d`:        values,
		`SELECT "ContractId", "StateName" FROM "vwContractState" WHERE "ApplicationId" = %d`:                                               states,
		`SELECT "ContractId", COUNT(DISTINCT "ContractActionId") FROM "vwContractAction" WHERE "ApplicationId" = %d GROUP BY "ContractId"`: actions,
	} {
		got := sql(w.t, w.dsn, fmt.Sprintf(statement, w.id))
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			w.t.Errorf("%s:\n%s", statement, difference(strings.Join(got, "\n"), strings.Join(want, "\n")))
		}
	}
}

// end asks the read-only functions, and sees that of a disabled application
// nothing more can be done.
func (w *walk) end() {
	w.t.Helper()
	for _, i := range w.instances {
		for _, g := range i.flow.functions {
			if g.asks == nil {
				continue
			}
			var answer struct {
				Results []struct{ Name, Value string }
			}
			if err := json.Unmarshal(w.status(200, w.people[0], "POST", fmt.Sprintf("/api/v2/contracts/%d/calls", i.id), input(w.flows[i.flow].functions["Ask"], "n", "1000")), &answer); err != nil {
				w.t.Fatal(err)
			}
			if r := answer.Results; len(r) != 2 || r[0].Value != fmt.Sprint(1000+i.count) || r[1].Value != i.values[g.asks.name] {
				w.t.Errorf("Ask of contract %d: %+v", i.id, answer)
			}
		}
	}
	w.status(200, w.people[0], "PATCH", fmt.Sprintf("/api/v2/applications/%d/disable", w.id), nil)
	for _, i := range w.instances {
		for _, who := range w.people {
			want := http.StatusNoContent
			if !who.sees {
				want = http.StatusNotFound
			}
			w.status(want, who, "GET", fmt.Sprintf("/api/v2/contracts/%d/actions", i.id), nil)
		}
	}
}
