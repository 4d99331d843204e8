"""What the resources look like in JSON:API documents: one family per file."""
