"""What the clock sends: reminders of events, expired orders, invoices; each once, however often somebody looks."""
