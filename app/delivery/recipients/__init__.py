"""Who gets no mail, and who is only played."""
