"""Mails that wait: for their digest, or until it is seen whether they are still needed."""
