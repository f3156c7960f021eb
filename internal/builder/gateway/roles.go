package gateway

func assignmentsGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	roleID, err := c.integer("applicationRoleId")
	if err != nil {
		return err
	}
	l, err := c.person.Assignments(c.r.Context(), c.ids[0], roleID, p)
	if err != nil {
		return err
	}
	return list(c, "roleAssignments", p, l, writeAssignment)
}

// assignment reads a RoleAssignmentInput.
func (c *call) assignment() (userID, roleID int, err error) {
	f, err := c.body()
	if err != nil {
		return 0, 0, err
	}
	if userID, err = f.integer("userId"); err != nil {
		return 0, 0, err
	}
	roleID, err = f.integer("applicationRoleId")
	return userID, roleID, err
}

func assignmentsPost(c *call) error {
	userID, roleID, err := c.assignment()
	if err != nil {
		return err
	}
	id, err := c.person.Assign(c.r.Context(), c.ids[0], userID, roleID)
	if err != nil {
		return err
	}
	return c.number(id)
}

func assignmentGet(c *call) error {
	a, err := c.person.Assignment(c.r.Context(), c.ids[0], c.ids[1])
	if err != nil {
		return err
	}
	return c.json(func(w *writer) { writeAssignment(w, a) })
}

func assignmentPut(c *call) error {
	userID, roleID, err := c.assignment()
	if err != nil {
		return err
	}
	id, err := c.person.Reassign(c.r.Context(), c.ids[0], c.ids[1], userID, roleID)
	if err != nil {
		return err
	}
	return c.number(id)
}

func assignmentDelete(c *call) error {
	if err := c.person.Unassign(c.r.Context(), c.ids[0], c.ids[1]); err != nil {
		return err
	}
	return c.nothing()
}
