package gateway

import "github.com/coco-consortium/coco/internal/builder/workspace"

func usersGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	l, err := c.person.Users(c.r.Context(), workspace.UserQuery{
		Page: p, ExternalID: c.param("externalId"), Address: c.param("userChainIdentifier"), Search: c.param("search"), Sort: c.param("sortBy"),
	})
	if err != nil {
		return err
	}
	return list(c, "users", p, l, writeUser)
}

func usersPost(c *call) error {
	f, err := c.body()
	if err != nil {
		return err
	}
	var u workspace.UserInput
	for name, to := range map[string]*string{
		"externalID": &u.ExternalID, "firstName": &u.FirstName, "lastName": &u.LastName, "emailAddress": &u.Email,
	} {
		if *to, err = f.text(name); err != nil {
			return err
		}
	}
	id, err := c.person.AddUser(c.r.Context(), u)
	if err != nil {
		return err
	}
	return c.number(id)
}

func userGet(c *call) error {
	u, err := c.person.User(c.r.Context(), c.ids[0])
	if err != nil {
		return err
	}
	return c.json(func(w *writer) { writeUser(w, u) })
}

// meGet is the first call of every client; the person was made known when the
// token was looked at.
func meGet(c *call) error {
	return c.json(func(w *writer) {
		w.open()
		w.key("currentUser")
		writeUser(w, &c.person.Person)
		w.key("capabilities")
		writeCapabilities(w, c.person.Capabilities())
		w.close()
	})
}
