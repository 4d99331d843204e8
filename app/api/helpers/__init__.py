"""What other API resources import: saving notifications, queueing mails, their templates."""
