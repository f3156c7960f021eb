package gateway

import "github.com/coco-consortium/coco/internal/builder/offchain"

func workflowsGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	l, err := c.person.Workflows(c.r.Context(), c.ids[0], p)
	if err != nil {
		return err
	}
	return list(c, "workflows", p, l, func(w *writer, f *offchain.Workflow) { writeWorkflow(w, f, false) })
}

func workflowGet(c *call) error {
	f, err := c.person.Workflow(c.r.Context(), c.ids[0])
	if err != nil {
		return err
	}
	return c.json(func(w *writer) { writeWorkflow(w, f, true) })
}

func capabilitiesGet(c *call) error {
	return c.json(func(w *writer) { writeCapabilities(w, c.person.Capabilities()) })
}

func canCreate(c *call) error {
	may, err := c.person.CanCreate(c.r.Context(), c.ids[0])
	if err != nil {
		return err
	}
	return c.truth(may)
}
