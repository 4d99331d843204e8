"""The few pages that the links in mails open when no front end is set up: they work without scripts."""
