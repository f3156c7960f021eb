package gateway

func ledgersGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	all, err := c.person.Ledgers(c.r.Context())
	if err != nil {
		return err
	}
	return list(c, "ledgers", p, cut(all, p), writeLedger)
}

func connectionsGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	all, err := c.person.Connections(c.r.Context())
	if err != nil {
		return err
	}
	return list(c, "connection", p, cut(all, p), writeConnection)
}

func connectionGet(c *call) error {
	one, err := c.person.Connection(c.r.Context(), c.ids[0])
	if err != nil {
		return err
	}
	return c.json(func(w *writer) { writeConnection(w, one) })
}

func blocksGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	l, err := c.person.Blocks(c.r.Context(), c.ids[0], p)
	if err != nil {
		return err
	}
	return list(c, "blocks", p, l, writeBlock)
}

func blockGet(c *call) error {
	b, err := c.person.Block(c.r.Context(), c.ids[0], c.ids[1])
	if err != nil {
		return err
	}
	return c.json(func(w *writer) { writeBlock(w, b) })
}

func transactionsGet(c *call) error {
	p, err := c.page()
	if err != nil {
		return err
	}
	l, err := c.person.Transactions(c.r.Context(), c.ids[0], p)
	if err != nil {
		return err
	}
	return list(c, "transactions", p, l, writeTransaction)
}

func transactionGet(c *call) error {
	t, err := c.person.Transaction(c.r.Context(), c.ids[0], c.ids[1])
	if err != nil {
		return err
	}
	return c.json(func(w *writer) { writeTransaction(w, t) })
}
