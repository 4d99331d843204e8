"""What an operator does with mails by hand."""
