"""Who is told by which channel, and when: once for everybody, one by one for those who have said something."""
