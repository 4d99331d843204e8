"""Who somebody is: passwords, login tokens, links in mails, and how often one may try."""
