package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coco-consortium/coco/internal/builder/identity"
	"github.com/coco-consortium/coco/internal/problem"
)

// ErrGateway is a gateway that does not do what the measurement needs.
var ErrGateway = problem.New("BENCH_GATEWAY", "App Builder's gateway did not do what the measurement needs",
	"measure a development network (coco start) whose sample applications are installed; see the cause")

// guest is somebody who asks the gateway.
type guest struct {
	id    int
	token string
}

// gateway is the App Builder that is measured, and who asks it.
type gateway struct {
	url, dir string
	http     *http.Client
	workflow struct{ id, create, change, price int }
	guests   []guest // sellers first, then buyers, then inspectors
	sellers  int
}

// standing is a contract as far as the measurement looks at it.
type standing struct {
	ID                 int `json:"id"`
	ProvisioningStatus int `json:"provisioningStatus"`
	DeployedByUserID   int `json:"deployedByUserId"`
	ContractProperties []struct {
		WorkflowPropertyID int    `json:"workflowPropertyId"`
		Value              string `json:"value"`
	} `json:"contractProperties"`
}

func (s *standing) value(property int) string {
	for _, p := range s.ContractProperties {
		if p.WorkflowPropertyID == property {
			return p.Value
		}
	}
	return ""
}

// ask sends a request and decodes the answer into result, if that is not nil. It
// gives the number of bytes that came.
func (g *gateway) ask(ctx context.Context, token, method, path string, body, result any) (int, error) {
	var text io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		text = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, g.url+path, text)
	if err != nil {
		return 0, ErrGateway.From(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := g.http.Do(r)
	if err != nil {
		return 0, ErrGateway.From(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, ErrGateway.From(err)
	}
	if answer.StatusCode >= 300 {
		return len(data), ErrGateway.From(fmt.Errorf("%s %s: %s: %.300s", method, path, answer.Status, data))
	}
	if result == nil {
		return len(data), nil
	}
	if len(data) == 0 {
		return 0, ErrGateway.From(fmt.Errorf("%s %s: nothing is there", method, path))
	}
	return len(data), json.Unmarshal(data, result)
}

// admit finds the sample application, and makes people known who have its roles in
// turn.
func (g *gateway) admit(ctx context.Context, people int) error {
	admin, err := identity.Mint(g.dir, identity.MintOptions{Name: "Bench", Administrator: true, TTL: 24 * time.Hour})
	if err != nil {
		return err
	}
	var apps struct {
		Applications []struct {
			ID int `json:"id"`
		} `json:"applications"`
	}
	if _, err := g.ask(ctx, admin, http.MethodGet, "/api/v2/applications?name=Purchase", nil, &apps); err != nil {
		return err
	}
	var app struct {
		Roles []struct {
			ID   int    `json:"id"`
			Name string `json:"name"`
		} `json:"applicationRoles"`
	}
	at := fmt.Sprintf("/api/v2/applications/%d", apps.Applications[0].ID)
	if _, err := g.ask(ctx, admin, http.MethodGet, at, nil, &app); err != nil {
		return err
	}
	if err := g.learn(ctx, admin, at); err != nil {
		return err
	}
	if len(app.Roles) == 0 {
		return ErrGateway.From(errors.New("the application Purchase has no roles"))
	}
	g.guests = make([]guest, people)
	var group errgroup.Group
	group.SetLimit(8)
	for i := range g.guests {
		role := app.Roles[i*len(app.Roles)/people]
		if role.Name == "Seller" {
			g.sellers++
		}
		group.Go(func() error {
			token, err := identity.Mint(g.dir, identity.MintOptions{Name: fmt.Sprintf("Guest %d", i+1), TTL: 24 * time.Hour})
			if err != nil {
				return err
			}
			var me struct {
				CurrentUser struct {
					UserID int `json:"userID"`
				} `json:"currentUser"`
			}
			if _, err := g.ask(ctx, token, http.MethodGet, "/api/v2/users/me", nil, &me); err != nil {
				return err
			}
			g.guests[i] = guest{me.CurrentUser.UserID, token}
			_, err = g.ask(ctx, admin, http.MethodPost, at+"/roleAssignments", map[string]int{"userId": me.CurrentUser.UserID, "applicationRoleId": role.ID}, nil)
			if err != nil && strings.Contains(err.Error(), "409") { // from an earlier measurement
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

// learn finds the ids of the workflow's parts.
func (g *gateway) learn(ctx context.Context, admin, at string) error {
	type named struct {
		ID   int    `json:"id"`
		Name string `json:"name"`
	}
	var list struct {
		Workflows []named `json:"workflows"`
	}
	if _, err := g.ask(ctx, admin, http.MethodGet, at+"/workflows", nil, &list); err != nil {
		return err
	}
	g.workflow.id = list.Workflows[0].ID
	var w struct {
		ConstructorID int     `json:"constructorId"`
		Functions     []named `json:"functions"`
		Properties    []named `json:"properties"`
	}
	if _, err := g.ask(ctx, admin, http.MethodGet, fmt.Sprintf("/api/v2/applications/workflows/%d", g.workflow.id), nil, &w); err != nil {
		return err
	}
	g.workflow.create = w.ConstructorID
	for _, f := range w.Functions {
		if f.Name == "ChangePrice" {
			g.workflow.change = f.ID
		}
	}
	for _, p := range w.Properties {
		if p.Name == "AskingPrice" {
			g.workflow.price = p.ID
		}
	}
	if g.workflow.change == 0 || g.workflow.price == 0 {
		return ErrGateway.From(errors.New("the application Purchase is not the sample"))
	}
	return nil
}

// call is what a constructor or a function is called with.
func callOf(function int, arguments ...string) map[string]any {
	list := []map[string]string{}
	for i := 0; i+1 < len(arguments); i += 2 {
		list = append(list, map[string]string{"name": arguments[i], "value": arguments[i+1]})
	}
	return map[string]any{"workflowFunctionID": function, "workflowActionParameters": list}
}

// create makes a contract of a seller and waits until it is committed.
func (g *gateway) create(ctx context.Context, who guest) (int, error) {
	var id int
	body := callOf(g.workflow.create, "machine", "Lathe", "condition", "2", "askingPrice", "1000")
	if _, err := g.ask(ctx, who.token, http.MethodPost, fmt.Sprintf("/api/v2/contracts?workflowId=%d", g.workflow.id), body, &id); err != nil {
		return 0, err
	}
	return id, g.until(ctx, who, id, func(s *standing) bool { return s.ProvisioningStatus == 2 })
}

// change asks for another price.
func (g *gateway) change(ctx context.Context, who guest, contract int, price string) error {
	_, err := g.ask(ctx, who.token, http.MethodPost, fmt.Sprintf("/api/v2/contracts/%d/actions", contract), callOf(g.workflow.change, "askingPrice", price), nil)
	return err
}

// look reads a contract.
func (g *gateway) look(ctx context.Context, who guest, contract int) (*standing, error) {
	var s standing
	_, err := g.ask(ctx, who.token, http.MethodGet, fmt.Sprintf("/api/v2/contracts/%d", contract), nil, &s)
	return &s, err
}

// until looks at a contract again and again.
func (g *gateway) until(ctx context.Context, who guest, contract int, done func(*standing) bool) error {
	deadline := time.Now().Add(time.Minute)
	for {
		s, err := g.look(ctx, who, contract)
		if err != nil || done(s) {
			return err
		}
		if time.Now().After(deadline) {
			return ErrGateway.From(fmt.Errorf("contract %d did not change within a minute: %+v", contract, s))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}
