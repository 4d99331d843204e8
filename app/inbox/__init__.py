"""What changes in the inboxes, and who has to know of it."""
